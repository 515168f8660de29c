use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body};
use execute_workflow::{AppState, Ports, Settings, router};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use shared::{
    clock::SharedClock,
    egress::{Egress, EgressConfig},
    events::{DOCUMENT_WRITTEN, Document, encode_written},
    http::ServiceCallers,
    ids::{ExecutionId, OrgId, RecordId, Uid},
    llm::{SharedProvider, SharedTuner},
    models::{
        Approval, ApprovalStatus, Decision, Execution, JsonText, Limits, LogLine, Organization,
        StartOptions, Step, SubscriptionTier, Timestamp, Trigger, TriggerSource, TriggerType,
        Wakeup, Workflow,
    },
    shutdown::Shutdown,
    storage::Bucket,
    store::{
        DatabaseClock, Store, Versioned, approvals,
        document_db::{Document as StoredDocument, DocumentDb, Operation},
        organizations, triggers, wakeups, workflows,
    },
    testing::{
        FixedClock, MemoryDb, RecordingAccounts, RecordingActions, RecordingMailer, RecordingQueue,
        ScriptedLlm, invitation_links, metered_llm, trail,
    },
};
use tower::ServiceExt;

pub(crate) const NOW: &str = "2026-11-23T12:00:00Z";

/// The function on fakes, with an organization `o1`.
pub(crate) struct App {
    pub(crate) router: Router,
    state: AppState,
    pub(crate) clock: FixedClock,
    pub(crate) db: Arc<MemoryDb>,
    pub(crate) store: Store,
    pub(crate) accounts: Arc<RecordingAccounts>,
    pub(crate) queue: Arc<RecordingQueue>,
    pub(crate) shutdown: Shutdown,
}

/// What `http` nodes and actions reach.
pub(crate) struct Outside {
    pub(crate) hosts: HashMap<String, SocketAddr>,
    pub(crate) actions: Arc<RecordingActions>,
    pub(crate) artifacts: Option<Arc<dyn Bucket>>,
    pub(crate) tuner: Option<SharedTuner>,
    /// Whether the function's clock is set by its database.
    pub(crate) is_set_by_database: bool,
}

impl Default for Outside {
    fn default() -> Self {
        Self {
            hosts: HashMap::new(),
            actions: Arc::new(RecordingActions::doing_all()),
            artifacts: None,
            tuner: None,
            is_set_by_database: false,
        }
    }
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
        Self::outside(callers, db, faulty, provider, Outside::default()).await
    }

    /// The function where `http` nodes and actions reach `outside`.
    pub(crate) async fn reaching(outside: Outside) -> Self {
        let provider = Arc::new(ScriptedLlm::answering("x"));
        let db = Arc::new(MemoryDb::new());
        Self::outside(ServiceCallers::unchecked(), db, None, provider, outside).await
    }

    /// The function with a model, where actions reach `actions`.
    pub(crate) async fn acting(provider: SharedProvider, actions: &Arc<RecordingActions>) -> Self {
        let outside = Outside {
            actions: actions.clone(),
            ..Outside::default()
        };
        let db = Arc::new(MemoryDb::new());
        Self::outside(ServiceCallers::unchecked(), db, None, provider, outside).await
    }

    async fn outside(
        callers: ServiceCallers,
        db: Arc<MemoryDb>,
        faulty: Option<Arc<dyn DocumentDb>>,
        provider: SharedProvider,
        outside: Outside,
    ) -> Self {
        let clock = FixedClock::at(NOW);
        let store = db.store();
        let organization = organizations::create(&organization()).unwrap();
        store.commit(vec![organization]).await.unwrap();
        let egress = Egress::new(EgressConfig {
            host_overrides: outside.hosts,
            ..EgressConfig::default()
        })
        .unwrap();
        let accounts = Arc::new(RecordingAccounts::new());
        let (queue, shutdown) = (Arc::new(RecordingQueue::new()), Shutdown::new());
        let function_db = faulty.unwrap_or_else(|| db.clone());
        let database_clock = DatabaseClock::new(function_db.clone(), clock.shared());
        let database_clock = outside.is_set_by_database.then(|| Arc::new(database_clock));
        let (function_store, function_clock) = match &database_clock {
            Some(database) => (
                Store::new(database.clone()),
                database.clone() as SharedClock,
            ),
            None => (Store::new(function_db), clock.shared()),
        };
        let ports = Ports {
            llm: metered_llm(provider, function_store.clone(), function_clock.clone()),
            mailer: Arc::new(RecordingMailer::new()),
            links: invitation_links(),
            trail: trail(&store),
            accounts: accounts.clone(),
            egress,
            actions: outside.actions.clone(),
            queue: queue.shared(),
            artifacts: outside.artifacts,
        };
        let settings = Settings::new("gpt-4.1-mini".to_owned());
        let state = AppState::with_ports(
            function_store,
            ports,
            settings,
            function_clock,
            callers,
            shutdown.clone(),
        );
        let state = match database_clock {
            Some(database_clock) => state.with_database_clock(database_clock),
            None => state,
        };
        let state = state.with_tuner(outside.tuner);
        Self {
            router: router(state.clone()),
            state,
            clock,
            db,
            store,
            accounts,
            queue,
            shutdown,
        }
    }

    /// The same function where no provider tunes models.
    pub(crate) fn without_tuner(&self) -> Router {
        router(self.state.clone().with_tuner(None))
    }

    /// Saves workflow `w1`.
    pub(crate) async fn save(&self, nodes: Value, edges: Value) {
        self.save_as("w1", nodes, edges).await;
    }

    /// Saves a workflow.
    pub(crate) async fn save_as(&self, id: &str, nodes: Value, edges: Value) {
        let mut workflow = workflow(nodes, edges);
        workflow.id = id.parse().unwrap();
        self.store
            .commit(vec![workflows::create(&workflow).unwrap()])
            .await
            .unwrap();
    }

    /// Writes `trigger`, unless it is there, and delivers its event.
    pub(crate) async fn deliver(&self, trigger: &Trigger) -> StatusCode {
        self.fire(trigger).await;
        self.deliver_again(trigger).await
    }

    /// Writes `trigger`, unless it is there.
    pub(crate) async fn fire(&self, trigger: &Trigger) {
        let write = triggers::create(trigger).unwrap();
        let _ = self.store.commit(vec![write]).await;
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
                let body = task.work.to_body().unwrap();
                answers.push(self.post("/continue", Vec::new(), body).await);
            }
        }
    }

    /// A tick of the sweeper, and what it hands in.
    pub(crate) async fn tick(&self) -> StatusCode {
        let status = self.post("/sweep", Vec::new(), Vec::new()).await;
        self.drain().await;
        status
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
        self.execution_of("t1").await
    }

    pub(crate) async fn execution_of(&self, id: &str) -> Execution {
        let id = id.parse().unwrap();
        let execution = self.store.find_execution(&org_id(), &id).await;
        execution.unwrap().unwrap().value
    }

    /// Starts a run of workflow `w1` by a trigger of its own.
    pub(crate) async fn start(&self, id: &str, payload: Value) -> Execution {
        let mut trigger = trigger(payload);
        trigger.id = id.parse().unwrap();
        assert_eq!(self.deliver(&trigger).await, StatusCode::NO_CONTENT);
        self.execution_of(id).await
    }

    /// Delivers what is due, and the events of wakeups and of triggers that runs have written, until
    /// there is nothing any more.
    pub(crate) async fn settle(&self) {
        let mut known = HashSet::new();
        loop {
            self.drain().await;
            let written = ["triggers", "wakeups"].map(|collection| self.db.documents(collection));
            let mut written = written.into_iter().flatten();
            let Some(document) = written.find(|document| known.insert(document.path.clone()))
            else {
                return;
            };
            let (path, id) = (document.path.to_string(), document.path.id().to_owned());
            let body = encode_written(Some(wire(&document)), None);
            let mut headers = event_headers();
            headers.retain(|(name, _)| !["ce-subject", "ce-document", "ce-id"].contains(name));
            let subject = format!("documents/{path}");
            headers.extend([
                ("ce-subject", &*subject),
                ("ce-document", &*path),
                ("ce-id", &*id),
            ]);
            self.post("/", headers, body).await;
        }
    }

    pub(crate) async fn step(&self, node_id: &str) -> Step {
        self.steps_of(node_id).await.remove(0)
    }

    /// The steps of a node, by iteration.
    pub(crate) async fn steps_of(&self, node_id: &str) -> Vec<Step> {
        let steps = self.store.list_steps(&org_id(), &execution_id()).await;
        let mut steps = steps.unwrap();
        steps.retain(|step| step.node_id == node_id);
        steps.sort_by(|one, other| one.iteration.cmp(&other.iteration));
        steps
    }

    pub(crate) async fn log(&self) -> Vec<LogLine> {
        self.store
            .list_log_lines(&org_id(), &execution_id(), 0, 1_000)
            .await
            .unwrap()
    }

    /// What the run has asked people at a node outside of loops.
    pub(crate) async fn approval(&self, node_id: &str) -> Versioned<Approval> {
        self.approval_in(node_id, "0").await
    }

    /// The same in an iteration, or a move.
    pub(crate) async fn approval_in(&self, node_id: &str, iteration: &str) -> Versioned<Approval> {
        let id = Approval::id_of(&execution_id(), node_id, iteration);
        let found = self.store.find_approval(&org_id(), &id).await;
        found.unwrap().unwrap()
    }

    /// Decides as the API does, with the `values` of a form.
    pub(crate) async fn decide(&self, node_id: &str, status: ApprovalStatus, values: Value) {
        let approval = self.approval(node_id).await;
        self.decide_on(approval, status, values).await;
    }

    /// The same for an approval that was found.
    pub(crate) async fn decide_on(
        &self,
        mut approval: Versioned<Approval>,
        status: ApprovalStatus,
        values: Value,
    ) {
        let at: Timestamp = self.clock.shared().now().into();
        let decider = Approval::decider(&approval.value.id, &Uid::parse("u1").unwrap());
        approval.value.status = status;
        approval.value.decisions.push(Decision {
            decider,
            approves: status == ApprovalStatus::Approved,
            values: values.into(),
            comment: None,
            at,
        });
        let wakeup = Wakeup {
            id: RecordId::derive(&["approved", approval.value.id.as_str()]),
            org_id: org_id(),
            execution_id: execution_id(),
            created_at: at,
        };
        let writes = vec![
            approvals::replace(&approval).unwrap(),
            wakeups::set(&wakeup).unwrap(),
        ];
        self.store.commit(writes).await.unwrap();
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
        traceparent: None,
    }
}

pub(crate) fn event_headers<'h>() -> Vec<(&'h str, &'h str)> {
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

fn wire(document: &StoredDocument) -> Document {
    Document {
        name: format!("projects/p/databases/(default)/documents/{}", document.path),
        fields: document.fields.clone(),
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
        subscription_tier: SubscriptionTier::Pro,
        former_tiers: Vec::new(),
        plan_asked_at: None,
        plan_asked_since: None,
        stripe_customer_id: None,
        stripe_customer_attempts: 0,
        api_usage: 0,
        limits: Limits::default(),
        created_at: NOW.parse::<jiff::Timestamp>().unwrap().into(),
    }
}
