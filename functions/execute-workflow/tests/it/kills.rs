//! A worker that is killed at any await of a run: whatever it was doing, the run ends the same.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::StatusCode;
use serde_json::{Value, json};
use shared::{
    llm::ChatRequest,
    models::{Execution, ExecutionStatus, StepStatus},
    testing::ScriptedLlm,
};

use crate::app::{App, branch, edge, node, trigger};

/// A future that is dropped once it has been polled so often, as a process is that is killed.
pub(crate) struct KilledAfter<F> {
    future: Pin<Box<F>>,
    polls: usize,
}

impl<F: Future> Future for KilledAfter<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            return Poll::Ready(None);
        }
        self.polls -= 1;
        self.future.as_mut().poll(context).map(Some)
    }
}

pub(crate) fn killed_after<F: Future>(polls: usize, future: F) -> KilledAfter<F> {
    let future = Box::pin(future);
    KilledAfter { future, polls }
}

fn next(source: &str, target: &str) -> Value {
    let mut edge = edge(source, target);
    edge["targetHandle"] = json!("next");
    edge
}

fn ask(id: &str, prompt: &str) -> Value {
    node(id, "llm", json!({ "prompt": prompt }))
}

/// Twenty nodes: branches side by side, a loop with two calls for each item, a wait, a switch, a
/// merge.
fn nodes() -> Value {
    let cases = json!([{ "handle": "long", "when": "size(nodes.each.output) > 2" }]);
    json!([
        node("start", "trigger", json!({})),
        ask("a1", "a1"),
        ask("a2", "a2 after ${nodes.a1.output.text}"),
        ask("b1", "b1"),
        node(
            "b2",
            "transform",
            json!({ "value": "${nodes.b1.output.text}" })
        ),
        ask("b3", "b3 after ${nodes.b2.output}"),
        node("joined", "merge", json!({ "mode": "all" })),
        node(
            "each",
            "loop",
            json!({ "items": "${trigger.items}", "parallelism": 2 })
        ),
        ask("first", "first ${item}"),
        node(
            "is-even",
            "condition",
            json!({ "expression": "item % 2 == 0" })
        ),
        ask("second", "second ${item}"),
        node("odd", "transform", json!({ "value": { "text": "odd" } })),
        node("pause", "wait", json!({ "seconds": 30 })),
        node("size", "switch", json!({ "cases": cases })),
        ask("long", "long"),
        ask("short", "short"),
        node("short-too", "transform", json!({ "value": 1 })),
        node("either", "merge", json!({ "mode": "any" })),
        ask("last", "last"),
        node(
            "end",
            "output",
            json!({ "value": { "each": "${nodes.each.output}", "last": "${nodes.last.output.text}" } })
        ),
    ])
}

/// A run of them that is about to begin.
async fn app(llm: Arc<ScriptedLlm>) -> App {
    let app = App::new(llm).await;
    let edges = json!([
        edge("start", "a1"),
        edge("a1", "a2"),
        edge("start", "b1"),
        edge("b1", "b2"),
        edge("b2", "b3"),
        edge("a2", "joined"),
        edge("b3", "joined"),
        edge("joined", "each"),
        branch("each", "each", "first"),
        edge("first", "is-even"),
        branch("is-even", "true", "second"),
        branch("is-even", "false", "odd"),
        next("second", "each"),
        next("odd", "each"),
        branch("each", "done", "pause"),
        edge("pause", "size"),
        branch("size", "long", "long"),
        branch("size", "default", "short"),
        edge("short", "short-too"),
        edge("long", "either"),
        edge("short-too", "either"),
        edge("either", "last"),
        edge("last", "end"),
    ]);
    app.save(nodes(), edges).await;
    app.fire(&trigger(payload())).await;
    app
}

/// Goes on until the run has ended, as the sweeper does.
async fn finish(app: &App) -> Execution {
    for _ in 0..20 {
        app.deliver_again(&trigger(payload())).await;
        let execution = app.execution().await;
        if execution.status.is_terminal() {
            return execution;
        }
        app.advance(61);
        app.tick().await;
    }
    app.execution().await
}

fn payload() -> Value {
    json!({ "items": [1, 2, 3] })
}

fn expected() -> Value {
    let text = |text: &str| json!({ "text": text, "model": "gpt-4.1-mini" });
    let each = json!([{ "text": "odd" }, text("re: second 2"), { "text": "odd" }]);
    json!({ "each": each, "last": "re: last" })
}

fn answering() -> Arc<ScriptedLlm> {
    let answer = |request: &ChatRequest| Ok(format!("re: {}", request.messages[0].text()));
    Arc::new(ScriptedLlm::new(answer))
}

/// The run ended right, without a gap in its log, and with one effect for each call.
async fn check(app: &App, llm: &ScriptedLlm, place: &str) {
    let execution = app.execution().await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded, "{place}");
    assert_eq!(execution.output.as_ref().unwrap().0, expected(), "{place}");
    let numbers: Vec<i64> = app.log().await.iter().map(|line| line.seq).collect();
    let all: Vec<i64> = (1..=execution.log_seq).collect();
    assert_eq!(numbers, all, "{place}");
    // By key, as a provider sees it: a repeat has the key of the first.
    let mut effects = BTreeMap::new();
    for call in llm.requests() {
        let prompt = call.messages[0].text();
        let earlier = effects.insert(call.idempotency_key, prompt.clone());
        assert!(earlier.is_none_or(|earlier| earlier == prompt), "{place}");
    }
    // a1 a2 b1 b3, three firsts, one second, long and last.
    assert_eq!(effects.len(), 10, "{place}: {effects:?}");
    assert_eq!(app.db.documents("usage_ledger/").len(), 10, "{place}");
    assert_eq!(
        app.step("short").await.status,
        StepStatus::Skipped,
        "{place}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_worker_is_killed_at_any_await_ends_the_same() {
    let mut kills = 0;
    for polls in 1.. {
        let llm = answering();
        let app = app(llm.clone()).await;
        let again = trigger(payload());
        let delivered = killed_after(polls, app.deliver_again(&again)).await;
        finish(&app).await;
        check(&app, &llm, &format!("killed at poll {polls}")).await;
        if delivered == Some(StatusCode::NO_CONTENT) {
            break;
        }
        kills += 1;
    }
    assert!(kills > 20, "only {kills} awaits");
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_second_worker_is_killed_too_ends_the_same() {
    for first in [3, 9, 17] {
        for polls in 1.. {
            let llm = answering();
            let app = app(llm.clone()).await;
            let again = trigger(payload());
            let _ = killed_after(first, app.deliver_again(&again)).await;
            app.advance(61);
            let delivered = killed_after(polls, app.deliver_again(&again)).await;
            finish(&app).await;
            check(&app, &llm, &format!("killed at polls {first} and {polls}")).await;
            if delivered == Some(StatusCode::NO_CONTENT) {
                break;
            }
        }
    }
}
