//! What becomes of a run whose worker is stopped at any commit.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use http::StatusCode;
use serde_json::json;
use shared::{
    llm::{ChatRequest, ChatResponse, Error as LlmError, Provider},
    models::{Execution, ExecutionStatus, Timestamp},
    queue::Task,
    store::{
        Store, Versioned,
        document_db::{Document, DocumentDb, DocumentPath, Error, Query, Write},
        executions,
    },
    testing::{MemoryDb, ScriptedLlm},
};

use crate::app::{App, edge, execution_id, node, org_id, trigger};

/// A database that becomes unavailable at its n-th commit, which it may have applied, for one
/// commit or for longer than a worker tries.
struct FailsAt {
    inner: Arc<MemoryDb>,
    commits: AtomicUsize,
    fails_at: usize,
    lasts: usize,
    applied: bool,
}

/// A moment, and longer than the attempts of `Policy::REMOTE_CALL`.
const OUTAGES: [usize; 2] = [1, 6];

#[async_trait]
impl DocumentDb for FailsAt {
    async fn get(&self, path: &DocumentPath) -> Result<Option<Document>, Error> {
        self.inner.get(path).await
    }

    async fn query(&self, query: &Query) -> Result<Vec<Document>, Error> {
        self.inner.query(query).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Timestamp, Error> {
        let number = self.commits.fetch_add(1, Ordering::SeqCst);
        if number < self.fails_at || number >= self.fails_at + self.lasts {
            return self.inner.commit(writes).await;
        }
        if self.applied {
            self.inner.commit(writes).await?;
        }
        Err(Error::Unavailable("the connection broke".into()))
    }
}

/// Two model calls after each other.
async fn app_failing_at(
    fails_at: usize,
    lasts: usize,
    applied: bool,
    llm: Arc<ScriptedLlm>,
) -> (App, Arc<FailsAt>) {
    let inner = Arc::new(MemoryDb::new());
    let commits = AtomicUsize::new(0);
    let db = inner.clone();
    let faulty = Arc::new(FailsAt {
        inner,
        commits,
        fails_at,
        lasts,
        applied,
    });
    let app = App::on(db, Some(faulty.clone()), llm).await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("first", "llm", json!({ "prompt": "first" })),
        node(
            "second",
            "llm",
            json!({ "prompt": "second after ${nodes.first.output.text}" })
        ),
        node(
            "end",
            "output",
            json!({ "value": "${nodes.second.output.text}" })
        ),
    ]);
    let edges = json!([
        edge("start", "first"),
        edge("first", "second"),
        edge("second", "end")
    ]);
    app.save(nodes, edges).await;
    (app, faulty)
}

/// Delivers until the event is acknowledged, then ticks until the run has ended.
async fn run_to_the_end(app: &App) -> Execution {
    let trigger = trigger(json!({}));
    for _ in 0..10 {
        if app.deliver(&trigger).await == StatusCode::NO_CONTENT {
            break;
        }
    }
    for _ in 0..5 {
        let execution = app.execution().await;
        if execution.status.is_terminal() {
            return execution;
        }
        app.advance(61);
        app.tick().await;
    }
    app.execution().await
}

#[tokio::test(start_paused = true)]
async fn a_run_that_loses_its_database_at_any_commit_ends_right() {
    let mut reached = 0;
    for (applied, lasts) in [false, true]
        .into_iter()
        .flat_map(|a| OUTAGES.map(|l| (a, l)))
    {
        for fails_at in 0.. {
            let llm = Arc::new(ScriptedLlm::answering("done"));
            let (app, faulty) = app_failing_at(fails_at, lasts, applied, llm.clone()).await;
            let execution = run_to_the_end(&app).await;
            let place = format!("commit {fails_at} for {lasts}, applied: {applied}");
            check_outcome(&app, &execution, &llm, &place).await;
            if faulty.commits.load(Ordering::SeqCst) <= fails_at {
                break;
            }
            reached += 1;
        }
    }
    assert!(reached >= 32, "only {reached} commits were broken");
}

/// The run ended right, its log has no gap, and no call was booked twice.
async fn check_outcome(app: &App, execution: &Execution, llm: &ScriptedLlm, place: &str) {
    assert_eq!(execution.status, ExecutionStatus::Succeeded, "{place}");
    assert_eq!(
        execution.output.as_ref().unwrap().0,
        json!("done"),
        "{place}"
    );
    let numbers: Vec<i64> = app.log().await.iter().map(|line| line.seq).collect();
    assert_eq!(
        numbers,
        (1..=execution.log_seq).collect::<Vec<_>>(),
        "{place}"
    );
    let calls = llm.requests();
    for prompt in ["first", "second after done"] {
        let asked = |call: &&ChatRequest| call.messages[0].text() == prompt;
        let keys: Vec<_> = calls
            .iter()
            .filter(asked)
            .map(|call| &call.idempotency_key)
            .collect();
        assert!(
            (1..=2).contains(&keys.len()),
            "{place}: {prompt} {} times",
            keys.len()
        );
        assert!(keys.iter().all(|key| *key == keys[0]), "{place}");
    }
    let booked = app.db.documents("usage_ledger/").len();
    assert_eq!(booked, 2, "{place}: a call was booked twice");
}

/// Takes the execution away from its worker while a node runs.
struct Interferes {
    store: Store,
    change: fn(&mut Execution),
}

#[async_trait]
impl Provider for Interferes {
    async fn chat(&self, request: &ChatRequest) -> Result<ChatResponse, LlmError> {
        let found = self.store.find_execution(&org_id(), &execution_id()).await;
        let mut execution: Versioned<Execution> = found.unwrap().unwrap();
        (self.change)(&mut execution.value);
        let write = executions::replace(&execution).unwrap();
        self.store.commit(vec![write]).await.unwrap();
        ScriptedLlm::answering("too late").chat(request).await
    }
}

async fn run_with_interference(change: fn(&mut Execution)) -> App {
    let db = Arc::new(MemoryDb::new());
    let provider = Interferes {
        store: db.store(),
        change,
    };
    let app = App::on(db, None, Arc::new(provider)).await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("ask", "llm", json!({ "prompt": "Hello" })),
    ]);
    app.save(nodes, json!([edge("start", "ask")])).await;
    assert_eq!(
        app.deliver(&trigger(json!({}))).await,
        StatusCode::NO_CONTENT
    );
    app
}

#[tokio::test]
async fn a_cancelled_run_stays_cancelled_and_its_worker_leaves() {
    let app = run_with_interference(|execution| {
        execution.status = ExecutionStatus::Cancelled;
    })
    .await;
    assert_eq!(app.execution().await.status, ExecutionStatus::Cancelled);
    assert_eq!(app.step("ask").await.result, None);
    app.advance(3_600);
    app.tick().await;
    assert_eq!(app.execution().await.status, ExecutionStatus::Cancelled);
}

#[tokio::test]
async fn a_worker_whose_lease_was_taken_over_cannot_write() {
    let app = run_with_interference(|execution| execution.lease.fence += 1).await;
    assert_eq!(app.step("ask").await.result, None);
    assert_eq!(app.execution().await.lease.fence, 2);
}

#[tokio::test(start_paused = true)]
async fn a_run_under_a_fresh_lease_is_left_alone() {
    let llm = Arc::new(ScriptedLlm::answering("done"));
    let (app, _) = app_failing_at(usize::MAX, 0, false, llm.clone()).await;
    // The worker is killed in its first call and leaves a lease behind.
    let trigger = trigger(json!({}));
    let mut delivery = Box::pin(app.deliver(&trigger));
    while llm.requests().is_empty() {
        let _ = futures::poll!(delivery.as_mut());
        tokio::task::yield_now().await;
    }
    drop(delivery);
    assert_eq!(app.deliver(&trigger).await, StatusCode::NO_CONTENT);
    app.advance(59);
    app.tick().await;
    assert_eq!(llm.requests().len(), 1);
    app.advance(2);
    app.tick().await;
    assert_eq!(app.execution().await.status, ExecutionStatus::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_database_fails_is_given_back_and_counts_no_crash() {
    let llm = Arc::new(ScriptedLlm::answering("done"));
    let (app, _) = app_failing_at(2, OUTAGES[1], false, llm).await;
    let answer = app.deliver(&trigger(json!({}))).await;
    assert_eq!(answer, StatusCode::SERVICE_UNAVAILABLE);
    let execution = app.execution().await;
    assert_eq!((execution.lease.owner, execution.attempts), (None, 0));
    assert_eq!(
        app.deliver(&trigger(json!({}))).await,
        StatusCode::NO_CONTENT
    );
    assert_eq!(app.execution().await.status, ExecutionStatus::Succeeded);
}

/// A run whose worker is gone, the last of so many.
async fn crashed(attempts: i64) -> App {
    let llm = Arc::new(ScriptedLlm::answering("done"));
    let (app, _) = app_failing_at(1, OUTAGES[1], false, llm).await;
    app.deliver(&trigger(json!({}))).await;
    let found = app.store.find_execution(&org_id(), &execution_id()).await;
    let mut execution = found.unwrap().unwrap();
    execution.value.attempts = attempts;
    let until = execution.value.started_at.plus_seconds(60);
    execution.value.lease.until = Some(until);
    execution.value.lease.owner = Some("gone".to_owned());
    let replace = executions::replace(&execution).unwrap();
    app.store.commit(vec![replace]).await.unwrap();
    app.advance(60);
    app
}

#[tokio::test(start_paused = true)]
async fn a_run_that_keeps_killing_its_workers_is_quarantined() {
    let app = crashed(3).await;
    app.tick().await;
    app.advance(20);
    app.tick().await;
    let execution = app.execution().await;
    assert_eq!(execution.status, ExecutionStatus::Failed);
    assert_eq!(execution.error.unwrap().code, "quarantined");
}

#[tokio::test(start_paused = true)]
async fn what_crashes_again_goes_on_apart_from_the_others() {
    for (crashes, spread) in [(1, 0), (2, 10), (3, 20)] {
        let app = crashed(crashes).await;
        let lease_end = app.execution().await.lease.until.unwrap();
        let mut pauses = Vec::new();
        for _ in 0..2 {
            let status = app.post("/sweep", Vec::new(), Vec::new()).await;
            assert_eq!(status, StatusCode::OK);
            let tasks = app.queue.take().into_iter();
            let pause = |task: Task| Some(task.due_at?.instant() - lease_end.instant());
            let seconds = |pause: jiff::Span| pause.total(jiff::Unit::Second).unwrap();
            pauses.extend(tasks.map(|task| pause(task).map(seconds)));
        }
        assert_eq!(pauses.len(), 1, "a second tick adds nothing");
        let within = |pause: f64| pause > 0.0 && pause < f64::from(spread);
        assert_eq!(pauses[0].is_some_and(within), spread > 0, "{pauses:?}");
    }
}
