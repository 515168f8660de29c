//! The engine on the embedded Firestore, with its journal on disk.

use std::{collections::HashMap, sync::Arc};

use anyhow::{Context, Result, ensure};
use axum::{Router, body::Body};
use execute_workflow::{AppState, Ports, Settings, router};
use reqwest::Method;
use serde_json::Value;
use shared::{
    clock::{Clock, SystemClock},
    config::{Env, ServiceConfig},
    egress::{Egress, EgressConfig},
    events::encode_written,
    graph::GraphLimits,
    http::ServiceCallers,
    ids::{ExecutionId, OrgId, TriggerId, WorkflowId},
    models::{
        Execution, JsonText, Limits, Organization, StartOptions, SubscriptionTier, Timestamp,
        Trigger, TriggerSource, TriggerType, Workflow,
    },
    shutdown::Shutdown,
    store::{
        Store, document_db::Operation, firestore::Firestore, organizations, triggers, workflows,
    },
    testing::{
        RecordingAccounts, RecordingActions, RecordingMailer, RecordingQueue, ScriptedLlm,
        invitation_links, metered_llm, trail,
    },
};
use tempfile::TempDir;
use tower::ServiceExt;

use super::{
    database::{DATABASE, Database},
    process::{self, CpuTime},
};

const PROJECT_ID: &str = "demo-bench";

pub(super) struct EngineUnderLoad {
    router: Router,
    store: Store,
    org_id: OrgId,
    database: Database,
    _data: TempDir,
}

impl EngineUnderLoad {
    pub(super) async fn start() -> Result<Self> {
        let data = tempfile::tempdir()?;
        let database = Database::start(PROJECT_ID, Some(data.path())).await?;
        let env = Env::from_pairs([
            ("GOOGLE_CLOUD_PROJECT", PROJECT_ID.to_owned()),
            ("FIRESTORE_EMULATOR_HOST", database.host()),
        ]);
        let db = Arc::new(Firestore::new(&ServiceConfig::load(&env)?));
        let store = Store::new(db);
        let org_id = OrgId::generate();
        store
            .commit(vec![organizations::create(&organization(&org_id))?])
            .await?;
        Ok(Self {
            router: engine(&store)?,
            store,
            org_id,
            database,
            _data: data,
        })
    }

    /// Saves a workflow.
    pub(super) async fn save(&self, nodes: Vec<Value>, edges: Vec<Value>) -> Result<WorkflowId> {
        let workflow = Workflow {
            id: WorkflowId::generate(),
            org_id: self.org_id.clone(),
            name: "Bench".to_owned(),
            description: String::new(),
            nodes,
            edges,
            triggers: Vec::new(),
            active: true,
            created_at: None,
            updated_at: None,
        };
        self.store
            .commit(vec![workflows::create(&workflow)?])
            .await?;
        Ok(workflow.id)
    }

    /// Starts a run as an event does, and returns when the event is acknowledged.
    pub(super) async fn run(&self, workflow_id: &WorkflowId) -> Result<ExecutionId> {
        let trigger = Trigger {
            id: TriggerId::generate(),
            org_id: self.org_id.clone(),
            workflow_id: workflow_id.clone(),
            kind: TriggerType::Manual,
            payload: JsonText(serde_json::json!({ "n": 1, "name": "Ada" })),
            dedupe_key: String::new(),
            source: TriggerSource {
                function: "bench".to_owned(),
                uid: None,
            },
            created_at: now(),
            options: StartOptions::default(),
            traceparent: None,
        };
        let write = triggers::create(&trigger)?;
        let event = event(&write.path.to_string(), &write.operation)?;
        self.store.commit(vec![write]).await?;
        let response = self.router.clone().oneshot(event).await?;
        ensure!(response.status().is_success(), "{}", response.status());
        Ok(trigger.id.into())
    }

    /// What has become of a run.
    pub(super) async fn execution(&self, id: &ExecutionId) -> Result<Execution> {
        let found = self.store.find_execution(&self.org_id, id).await?;
        Ok(found.context("no execution")?.value)
    }

    /// What the engine, as `others`, and the database, as `named`, have used.
    pub(super) fn cpu_time(&self) -> Result<CpuTime> {
        process::cpu_time(DATABASE)
    }

    pub(super) async fn stop(self) -> Result<()> {
        self.database.stop().await
    }
}

/// The engine with limits that let large graphs through.
fn engine(store: &Store) -> Result<Router> {
    let ports = Ports {
        llm: metered_llm(
            Arc::new(ScriptedLlm::answering("done")),
            store.clone(),
            SystemClock::shared(),
        ),
        mailer: Arc::new(RecordingMailer::new()),
        links: invitation_links(),
        trail: trail(store),
        accounts: Arc::new(RecordingAccounts::new()),
        egress: Egress::new(EgressConfig::default())?,
        actions: Arc::new(RecordingActions::doing_all()),
        queue: Arc::new(RecordingQueue::new()).shared(),
        artifacts: None,
    };
    let settings = Settings {
        graph_limits: GraphLimits {
            nodes: 20_000,
            edges: 40_000,
        },
        max_steps: 50_000,
        ..Settings::new("gpt-4.1-mini".to_owned())
    };
    let (clock, callers) = (SystemClock::shared(), ServiceCallers::unchecked());
    let store = store.clone();
    let state = AppState::with_ports(store, ports, settings, clock, callers, Shutdown::new());
    Ok(router(state))
}

fn event(path: &str, operation: &Operation) -> Result<axum::extract::Request> {
    let Operation::Replace(fields) = operation else {
        anyhow::bail!("a creation replaces all fields");
    };
    let document = shared::events::Document {
        name: format!("projects/{PROJECT_ID}/databases/(default)/documents/{path}"),
        fields: fields.clone().into_iter().collect::<HashMap<_, _>>(),
        create_time: None,
        update_time: Some(Default::default()),
    };
    let request = axum::http::Request::builder()
        .method(Method::POST)
        .uri("/")
        .header("ce-specversion", "1.0")
        .header("ce-id", path.replace('/', "-"))
        .header("ce-type", "google.cloud.firestore.document.v1.written")
        .header(
            "ce-source",
            format!("//firestore.googleapis.com/projects/{PROJECT_ID}"),
        )
        .header("ce-subject", format!("documents/{path}"))
        .header("ce-document", path)
        .header("content-type", "application/protobuf")
        .body(Body::from(encode_written(Some(document), None)))?;
    Ok(request)
}

fn organization(id: &OrgId) -> Organization {
    Organization {
        id: id.clone(),
        name: "Bench".to_owned(),
        subscription_tier: SubscriptionTier::Free,
        former_tiers: Vec::new(),
        plan_asked_at: None,
        plan_asked_since: None,
        stripe_customer_id: None,
        stripe_customer_attempts: 0,
        api_usage: 0,
        limits: Limits::default(),
        created_at: now(),
    }
}

fn now() -> Timestamp {
    SystemClock.now().into()
}
