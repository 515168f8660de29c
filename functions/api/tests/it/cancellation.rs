use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use serde_json::{Value, json};
use shared::{
    ids::{ExecutionId, OrgId},
    models::{
        ApprovalStatus, Execution, ExecutionParent, ExecutionStatus, StartOptions, Timestamp,
        Wakeup, WorkflowState, WorkflowVersion,
    },
    store::{
        DocumentPath, Error, Store, Versioned, Write, decode,
        document_db::{Document, DocumentDb, Precondition, Query},
        executions, triggers, workflow_states,
    },
    testing::MemoryDb,
};

use crate::{
    app::{Answer, NOW, TestApp, after_turns, distances},
    seeds,
    table::seeded_app,
};

fn org_id() -> OrgId {
    OrgId::parse("o1").unwrap()
}

async fn cancel(app: &TestApp, id: &str) -> Answer {
    let cancel = json!({ "status": "cancelled" });
    app.patch("admin", &format!("/executions/{id}"), &cancel)
        .await
}

async fn execution(app: &TestApp, id: &str) -> Execution {
    let id: ExecutionId = id.parse().unwrap();
    let execution = app.store.find_execution(&org_id(), &id).await;
    execution.unwrap().unwrap().value
}

async fn status(app: &TestApp, id: &str) -> ExecutionStatus {
    execution(app, id).await.status
}

fn version() -> WorkflowVersion {
    WorkflowVersion {
        hash: "v1".to_owned(),
        org_id: org_id(),
        workflow_id: "w1".parse().unwrap(),
        nodes: seeds::nodes().into(),
        edges: seeds::edges().into(),
        created_at: seeds::now(),
    }
}

/// An execution that a node of `parent` has started.
async fn add_child(app: &TestApp, id: &str, parent: &str, status: ExecutionStatus) {
    let mut execution = seeds::execution_model(id, status, 0);
    execution.parent = Some(ExecutionParent {
        execution_id: parent.parse().unwrap(),
        depth: 1,
    });
    let writes = seeds::with_version(&execution, &version());
    app.store.commit(writes).await.unwrap();
}

/// An application with an execution whose trigger is written, and that the engine has not made.
async fn queued_app() -> TestApp {
    let app = seeded_app().await;
    let trigger = vec![seeds::trigger("queued")];
    app.store.commit(trigger).await.unwrap();
    app
}

#[tokio::test]
async fn one_that_has_not_begun_never_will() {
    let app = queued_app().await;
    let cancelled = cancel(&app, "queued").await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.body);
    assert_eq!(cancelled.body["status"], "cancelled");
    assert_eq!(cancelled.body["workflowName"], "Triage");
    assert_eq!(cancelled.body["workflowVersion"], "");
    assert_eq!(cancelled.body["input"], json!({ "list": [[1]] }));
    assert_eq!(cancelled.body["finishedAt"], NOW);
    assert_eq!(app.audited(), ["EXECUTION_CANCEL"]);
    let log = app.get("viewer", "/executions/queued/logs").await.body;
    assert_eq!(log["items"][0]["seq"], 1);
    assert_eq!(log["items"][0]["message"], "execution cancelled");
    assert_eq!(
        cancel(&app, "queued").await.refusal(),
        (400, "failed_precondition")
    );
    assert_eq!(app.delete("admin", "/executions/queued").await.status, 204);
    let gone = app.get("admin", "/executions/queued").await;
    assert_eq!(gone.refusal(), (404, "not_found"));
}

/// Makes the execution as the engine does, if nobody has.
async fn begin(app: &TestApp) -> bool {
    let mut execution = seeds::execution_model("queued", ExecutionStatus::Queued, 0);
    execution.options = StartOptions::default();
    let writes = seeds::with_version(&execution, &version());
    app.store.commit(writes).await.is_ok()
}

#[tokio::test]
async fn whoever_is_faster_the_engine_or_the_caller_it_ends_cancelled() {
    for (engine, caller) in distances() {
        let app = queued_app().await;
        let begin = after_turns(engine, begin(&app));
        let cancel = after_turns(caller, cancel(&app, "queued"));
        let (began, cancelled) = futures::future::join(begin, cancel).await;
        assert_eq!(cancelled.status, 200, "{}", cancelled.body);
        let execution = execution(&app, "queued").await;
        assert_eq!(execution.status, ExecutionStatus::Cancelled);
        assert_eq!(execution.workflow_version.is_empty(), !began);
        assert_eq!(app.audited(), ["EXECUTION_CANCEL"]);
    }
}

#[tokio::test]
async fn a_deletion_is_not_undone() {
    let app = queued_app().await;
    let id = "queued".parse().unwrap();
    let trigger = app.store.find_trigger(&org_id(), &id).await;
    let trigger = trigger.unwrap().unwrap();
    let gone = vec![triggers::delete(&trigger.id)];
    app.store.commit(gone).await.unwrap();
    let late = triggers::require(&trigger).unwrap();
    assert!(
        app.store
            .commit(vec![late])
            .await
            .unwrap_err()
            .is_lost_race()
    );
    assert_eq!(cancel(&app, "queued").await.refusal(), (404, "not_found"));
    assert_eq!(
        app.db.count("triggers") + app.db.documents("executions/queued").len(),
        4
    );
}

#[tokio::test]
async fn the_trigger_must_be_there_and_stays_as_it_was() {
    let app = queued_app().await;
    let before = app.db.documents("triggers/queued")[0].fields.clone();
    cancel(&app, "queued").await;
    assert_eq!(app.db.documents("triggers/queued")[0].fields, before);
    let writes = app.db.commits().pop().unwrap();
    let trigger = writes
        .iter()
        .find(|write| write.path.as_str() == "triggers/queued");
    assert_eq!(trigger.unwrap().precondition, Precondition::Exists);
}

#[tokio::test]
async fn what_waits_for_it_is_told_and_what_it_holds_is_free() {
    let app = seeded_app().await;
    let mut held = seeds::execution_model("held", ExecutionStatus::Running, 0);
    held.parent = Some(ExecutionParent {
        execution_id: "running".parse().unwrap(),
        depth: 1,
    });
    held.has_slot = true;
    let state = WorkflowState {
        org_id: org_id(),
        workflow_id: "w1".parse().unwrap(),
        running: [("held", seeds::now()), ("other", seeds::now())]
            .map(|(id, since)| (id.to_owned(), since))
            .into(),
        concurrency: Some(2),
        has_queue: false,
        debounced: None,
    };
    let mut writes = seeds::with_version(&held, &version());
    writes.push(workflow_states::set(&state, None).unwrap());
    writes.push(seeds::approval("q1", "held"));
    app.store.commit(writes).await.unwrap();
    let before = app.db.commits().len();
    assert_eq!(cancel(&app, "held").await.status, 200);
    assert_eq!(
        app.db.commits().len(),
        before + 1,
        "all of it is one commit"
    );
    let wakeup: Wakeup = decode(&app.db.documents("wakeups/")[0]).unwrap();
    assert_eq!(wakeup.execution_id.as_str(), "running");
    let state: WorkflowState = decode(&app.db.documents("workflow_states/w1")[0]).unwrap();
    assert_eq!(state.running.keys().collect::<Vec<_>>(), ["other"]);
    let id = "q1".parse().unwrap();
    let asked = app.store.find_approval(&org_id(), &id).await;
    let asked = asked.unwrap().unwrap().value;
    assert_eq!(asked.status, ApprovalStatus::Cancelled);
    assert!(!execution(&app, "held").await.has_slot);
}

#[tokio::test]
async fn what_its_nodes_have_started_is_cancelled_as_well() {
    let app = seeded_app().await;
    add_child(&app, "c1", "running", ExecutionStatus::Running).await;
    add_child(&app, "c2", "running", ExecutionStatus::Waiting).await;
    add_child(&app, "c3", "running", ExecutionStatus::Succeeded).await;
    add_child(&app, "c11", "c1", ExecutionStatus::Queued).await;
    add_child(&app, "x", "ended", ExecutionStatus::Running).await;
    assert_eq!(cancel(&app, "running").await.status, 200);
    for id in ["running", "c1", "c2", "c11"] {
        assert_eq!(status(&app, id).await, ExecutionStatus::Cancelled, "{id}");
    }
    assert_eq!(status(&app, "c3").await, ExecutionStatus::Succeeded);
    assert_eq!(status(&app, "x").await, ExecutionStatus::Running);
    assert_eq!(app.audited(), ["EXECUTION_CANCEL"; 4]);
    let told = app.records(&org_id());
    let parents: Vec<Value> = told
        .iter()
        .map(|record| record.metadata.0["parentExecutionId"].clone())
        .collect();
    assert_eq!(json!(parents), json!([null, "running", "running", "c1"]));
}

#[tokio::test]
async fn after_a_crash_a_repeat_cancels_the_rest() {
    let app = seeded_app().await;
    add_child(&app, "c1", "running", ExecutionStatus::Running).await;
    add_child(&app, "c11", "c1", ExecutionStatus::Running).await;
    for spared in [1, 1] {
        app.db.fail_commit_after(spared, false);
        cancel(&app, "running").await;
    }
    cancel(&app, "running").await;
    for id in ["running", "c1", "c11"] {
        assert_eq!(status(&app, id).await, ExecutionStatus::Cancelled, "{id}");
    }
    assert_eq!(app.audited(), ["EXECUTION_CANCEL"; 3]);
}

#[tokio::test]
async fn five_levels_below_are_cancelled() {
    let app = seeded_app().await;
    let mut parent = "running".to_owned();
    for level in 1..=6 {
        let id = format!("l{level}");
        add_child(&app, &id, &parent, ExecutionStatus::Running).await;
        parent = id;
    }
    cancel(&app, "running").await;
    assert_eq!(status(&app, "l5").await, ExecutionStatus::Cancelled);
    assert_eq!(status(&app, "l6").await, ExecutionStatus::Running);
}

/// A database in which the worker of execution `busy` writes before anybody else's commit, until its
/// own is refused.
struct BusyWorker {
    inner: Arc<MemoryDb>,
    held: Mutex<Option<Versioned<Execution>>>,
    written: AtomicUsize,
}

impl BusyWorker {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::new(MemoryDb::new()),
            held: Mutex::default(),
            written: AtomicUsize::default(),
        })
    }

    /// Lets the worker begin.
    async fn begin(&self) {
        let mut value = seeds::execution_model("busy", ExecutionStatus::Running, 0);
        value.lease.fence = 1;
        let writes = seeds::with_version(&value, &version());
        let version = self.inner.commit(writes).await.unwrap();
        *self.held.lock().unwrap() = Some(Versioned { value, version });
    }

    async fn work(&self) {
        let held = self.held.lock().unwrap().take();
        let Some(mut held) = held else {
            return;
        };
        held.value.log_seq += 1;
        held.value.lease.revision += 1;
        let write = executions::save_progress(&held).unwrap();
        if let Ok(version) = self.inner.commit(vec![write]).await {
            held.version = version;
            self.written.fetch_add(1, Ordering::SeqCst);
            *self.held.lock().unwrap() = Some(held);
        }
    }
}

#[async_trait]
impl DocumentDb for BusyWorker {
    async fn get(&self, path: &DocumentPath) -> Result<Option<Document>, Error> {
        self.inner.get(path).await
    }

    async fn query(&self, query: &Query) -> Result<Vec<Document>, Error> {
        self.inner.query(query).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Timestamp, Error> {
        self.work().await;
        self.inner.commit(writes).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_writes_all_the_time_does_not_keep_it_from_being_cancelled() {
    let db = BusyWorker::new();
    let app = TestApp::on(Store::new(db.clone()), db.inner.clone()).await;
    db.begin().await;
    let cancelled = cancel(&app, "busy").await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.body);
    assert_eq!(status(&app, "busy").await, ExecutionStatus::Cancelled);
    assert_eq!(app.audited(), ["EXECUTION_CANCEL"]);
    assert!(db.written.load(Ordering::SeqCst) > 1);
    assert_eq!(*db.held.lock().unwrap(), None, "the worker is refused");
}
