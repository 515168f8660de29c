use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use execute_workflow::{AppState, Ports, router};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use shared::{
    egress::{Egress, EgressConfig},
    events::{DOCUMENT_WRITTEN, Document, encode_written},
    http::ServiceCallers,
    ids::{ExecutionId, OrgId},
    llm::SharedProvider,
    models::{
        Execution, JsonText, Limits, LogLine, Organization, StartOptions, Step, SubscriptionTier,
        Trigger, TriggerSource, TriggerType, Workflow,
    },
    shutdown::Shutdown,
    store::{
        Store,
        document_db::{DocumentDb, Operation},
        organizations, triggers, workflows,
    },
    testing::{
        FixedClock, MemoryDb, RecordingAccounts, RecordingMailer, RecordingQueue, invitation_links,
        trail,
    },
};
use tower::ServiceExt;

pub(crate) const NOW: &str = "2026-11-23T12:00:00Z";

/// The function on fakes, with an organization `o1`.
pub(crate) struct App {
    pub(crate) router: Router,
    pub(crate) clock: FixedClock,
    pub(crate) db: Arc<MemoryDb>,
    pub(crate) store: Store,
    pub(crate) accounts: Arc<RecordingAccounts>,
    pub(crate) queue: Arc<RecordingQueue>,
    pub(crate) shutdown: Shutdown,
}

impl App {
    pub(crate) async fn new(provider: SharedProvider) -> Self {
        Self::on(Arc::new(MemoryDb::new()), None, provider).await
    }

    /// The function on `faulty` in front of `db`, if there is one.
    pub(crate) async fn on(
        db: Arc<MemoryDb>,
        faulty: Option<Arc<dyn DocumentDb>>,
        provider: SharedProvider,
    ) -> Self {
        Self::called_by(ServiceCallers::unchecked(), db, faulty, provider).await
    }

    pub(crate) async fn called_by(
        callers: ServiceCallers,
        db: Arc<MemoryDb>,
        faulty: Option<Arc<dyn DocumentDb>>,
        provider: SharedProvider,
    ) -> Self {
        let clock = FixedClock::at(NOW);
        let store = db.store();
        let organization = organizations::create(&organization()).unwrap();
        store.commit(vec![organization]).await.unwrap();
        let egress = Egress::new(EgressConfig {
            host_overrides: HashMap::new(),
        })
        .unwrap();
        let accounts = Arc::new(RecordingAccounts::new());
        let (queue, shutdown) = (Arc::new(RecordingQueue::new()), Shutdown::new());
        let ports = Ports {
            provider,
            mailer: Arc::new(RecordingMailer::new()),
            links: invitation_links(),
            trail: trail(&store),
            accounts: accounts.clone(),
            egress,
            queue: queue.shared(),
        };
        let function_store = faulty.map_or_else(|| db.store(), Store::new);
        let model = "gpt-4.1-mini".to_owned();
        let state = AppState::with_ports(
            function_store,
            ports,
            model,
            clock.shared(),
            callers,
            shutdown.clone(),
        );
        Self {
            router: router(state),
            clock,
            db,
            store,
            accounts,
            queue,
            shutdown,
        }
    }

    /// Saves workflow `w1`.
    pub(crate) async fn save(&self, nodes: Value, edges: Value) {
        let workflow = workflow(nodes, edges);
        self.store
            .commit(vec![workflows::create(&workflow).unwrap()])
            .await
            .unwrap();
    }

    /// Writes `trigger`, unless it is there, and delivers its event.
    pub(crate) async fn deliver(&self, trigger: &Trigger) -> StatusCode {
        let write = triggers::create(trigger).unwrap();
        let _ = self.store.commit(vec![write]).await;
        self.deliver_again(trigger).await
    }

    /// Delivers the event of `trigger`, whether or not its document is still there.
    pub(crate) async fn deliver_again(&self, trigger: &Trigger) -> StatusCode {
        self.post("/", event_headers(), trigger_event(trigger))
            .await
    }

    /// Delivers the tasks that are due until there is none; tells the answers in order.
    pub(crate) async fn drain(&self) -> Vec<StatusCode> {
        let mut answers = Vec::new();
        loop {
            let due = self.queue.take_due(self.clock.shared().now().into());
            if due.is_empty() {
                return answers;
            }
            for task in due {
                let body = serde_json::to_vec(&task.continuation()).unwrap();
                answers.push(self.post("/continue", Vec::new(), body).await);
            }
        }
    }

    /// A tick of the sweeper.
    pub(crate) async fn tick(&self) -> StatusCode {
        self.post("/sweep", Vec::new(), Vec::new()).await
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        headers: Vec<(&str, &str)>,
        body: Vec<u8>,
    ) -> StatusCode {
        let mut request = Request::post(path);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Body::from(body)).unwrap();
        self.router.clone().oneshot(request).await.unwrap().status()
    }

    /// Runs workflow `w1` with `payload` and returns the execution.
    pub(crate) async fn run(&self, payload: Value) -> Execution {
        assert_eq!(
            self.deliver(&trigger(payload)).await,
            StatusCode::NO_CONTENT
        );
        self.execution().await
    }

    pub(crate) async fn execution(&self) -> Execution {
        let execution = self.store.find_execution(&org_id(), &execution_id()).await;
        execution.unwrap().unwrap().value
    }

    pub(crate) async fn step(&self, node_id: &str) -> Step {
        let steps = self
            .store
            .list_steps(&org_id(), &execution_id())
            .await
            .unwrap();
        steps
            .into_iter()
            .find(|step| step.node_id == node_id)
            .unwrap()
    }

    pub(crate) async fn log(&self) -> Vec<LogLine> {
        self.store
            .list_log_lines(&org_id(), &execution_id(), 0, 1_000)
            .await
            .unwrap()
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

pub(crate) fn org_id() -> OrgId {
    OrgId::parse("o1").unwrap()
}

pub(crate) fn execution_id() -> ExecutionId {
    ExecutionId::parse("t1").unwrap()
}

/// A manual trigger `t1` of workflow `w1`.
pub(crate) fn trigger(payload: Value) -> Trigger {
    Trigger {
        id: "t1".parse().unwrap(),
        org_id: org_id(),
        workflow_id: "w1".parse().unwrap(),
        kind: TriggerType::Manual,
        payload: JsonText(payload),
        dedupe_key: "t1".to_owned(),
        source: TriggerSource {
            function: "api".to_owned(),
            uid: None,
        },
        created_at: NOW.parse::<jiff::Timestamp>().unwrap().into(),
        options: StartOptions::default(),
    }
}

pub(crate) fn event_headers() -> Vec<(&'static str, &'static str)> {
    vec![
        ("ce-specversion", "1.0"),
        ("ce-id", "e1"),
        ("ce-type", DOCUMENT_WRITTEN),
        (
            "ce-source",
            "//firestore.googleapis.com/projects/p/databases/(default)",
        ),
        ("ce-subject", "documents/triggers/t1"),
        ("ce-document", "triggers/t1"),
        ("content-type", "application/protobuf"),
    ]
}

pub(crate) fn trigger_event(trigger: &Trigger) -> Vec<u8> {
    encode_written(Some(trigger_document(trigger)), None)
}

pub(crate) fn trigger_document(trigger: &Trigger) -> Document {
    let write = triggers::create(trigger).unwrap();
    let Operation::Replace(fields) = write.operation else {
        unreachable!("a creation replaces all fields")
    };
    Document {
        name: format!("projects/p/databases/(default)/documents/{}", write.path),
        fields,
        create_time: None,
        update_time: Some(Default::default()),
    }
}

pub(crate) fn node(id: &str, kind: &str, data: Value) -> Value {
    json!({ "id": id, "type": kind, "position": { "x": 0, "y": 0 }, "data": data })
}

pub(crate) fn edge(source: &str, target: &str) -> Value {
    json!({ "id": format!("{source}-{target}"), "source": source, "target": target })
}

pub(crate) fn branch(source: &str, handle: &str, target: &str) -> Value {
    let mut edge = edge(source, target);
    edge["sourceHandle"] = json!(handle);
    edge
}

fn workflow(nodes: Value, edges: Value) -> Workflow {
    let items = |value: Value| value.as_array().unwrap().clone();
    Workflow {
        id: "w1".parse().unwrap(),
        org_id: org_id(),
        name: "Test".to_owned(),
        description: String::new(),
        nodes: items(nodes),
        edges: items(edges),
        triggers: Vec::new(),
        active: true,
        created_at: None,
        updated_at: None,
    }
}

fn organization() -> Organization {
    Organization {
        id: org_id(),
        name: "Test".to_owned(),
        subscription_tier: SubscriptionTier::Free,
        stripe_customer_id: None,
        api_usage: 0,
        limits: Limits::default(),
        created_at: NOW.parse::<jiff::Timestamp>().unwrap().into(),
    }
}
