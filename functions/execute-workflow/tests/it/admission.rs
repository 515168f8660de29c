//! No node and no agent asks a model that the organization may not ask.

use std::sync::Arc;

use serde_json::json;
use shared::{
    ids::Uid,
    models::{Execution, LlmSwitch, TokenQuota, UsageEntry},
    store::{
        agents, decode, document_db::Write, executions, organizations::set_token_quota,
        platform::set_llm_switch, triggers,
    },
    testing::{RecordingActions, ScriptedLlm},
};

use crate::{
    agents::agent,
    app::{App, edge, execution_id, node, org_id, trigger},
    turns,
};

/// The nodes that think.
const NODES: [&str; 2] = ["llm", "agent"];

/// A run of one node that thinks, where these documents are written.
async fn think(kind: &str, writes: Vec<Write>) -> (usize, Execution) {
    let llm = Arc::new(ScriptedLlm::answering("x"));
    let app = App::new(llm.clone()).await;
    let agent = agents::create(&agent()).unwrap();
    app.store.commit(vec![agent]).await.unwrap();
    app.store.commit(writes).await.unwrap();
    let data = match kind {
        "agent" => json!({ "agentId": "a1", "prompt": "Hello" }),
        _ => json!({ "prompt": "Hello" }),
    };
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("think", kind, data)
    ]);
    app.save(nodes, json!([edge("start", "think")])).await;
    let execution = app.run(json!({})).await;
    (llm.requests().len(), execution)
}

/// The same for an agent that is spoken to.
async fn speak(writes: Vec<Write>) -> (usize, Execution) {
    let llm = Arc::new(ScriptedLlm::answering("x"));
    let app = turns::app(llm.clone(), &Arc::new(RecordingActions::doing_all()), &[]).await;
    app.store.commit(writes).await.unwrap();
    let execution = turns::say(&app, "Hello").await;
    (llm.requests().len(), execution)
}

fn quota(used: i64, is_blocked: bool) -> Vec<Write> {
    let quota = TokenQuota {
        period: "2026-11".to_owned(),
        used,
        is_blocked,
        ..TokenQuota::default()
    };
    vec![set_token_quota(&org_id(), &quota, None).unwrap()]
}

/// What leaves nothing to ask, and what a run ends with.
fn refusals() -> [(Vec<Write>, &'static str); 3] {
    let off = set_llm_switch(LlmSwitch { is_off: true }).unwrap();
    [
        (quota(20_000_000, false), "resource_exhausted"),
        (quota(0, true), "failed_precondition"),
        (vec![off], "failed_precondition"),
    ]
}

#[tokio::test]
async fn what_may_be_asked_is_asked() {
    for kind in NODES {
        let (calls, execution) = think(kind, Vec::new()).await;
        assert_eq!((calls, execution.error), (1, None), "{kind}");
    }
    let (calls, execution) = speak(Vec::new()).await;
    assert_eq!((calls, execution.error), (1, None));
}

#[tokio::test]
async fn nodes_ask_nobody_when_nothing_is_left() {
    for (writes, code) in refusals() {
        for kind in NODES {
            let (calls, execution) = think(kind, writes.clone()).await;
            assert_eq!(
                (calls, &*execution.error.unwrap().code),
                (0, code),
                "{kind}"
            );
        }
    }
}

#[tokio::test]
async fn an_agent_that_is_spoken_to_asks_nobody_when_nothing_is_left() {
    for (writes, code) in refusals() {
        let (calls, execution) = speak(writes).await;
        assert_eq!((calls, &*execution.error.unwrap().code), (0, code));
    }
}

/// Deletes run `t1` as the API does.
async fn delete(app: &App) {
    let (store, org_id, id) = (&app.store, org_id(), execution_id());
    let execution = store.find_execution(&org_id, &id).await.unwrap().unwrap();
    let mut writes = store.list_journal_deletions(&org_id, &id).await.unwrap();
    let log = app.log().await.into_iter();
    writes.extend(log.map(|line| executions::delete_log_line(&id, line.seq)));
    writes.extend([
        executions::delete(&execution),
        triggers::delete(&execution.value.trigger.id),
    ]);
    store.commit(writes).await.unwrap();
}

#[tokio::test]
async fn a_run_is_not_paid_by_a_deleted_one_of_the_same_id() {
    let llm = Arc::new(ScriptedLlm::answering("x"));
    let app = App::new(llm).await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("think", "llm", json!({ "prompt": "Hello" }))
    ]);
    app.save(nodes, json!([edge("start", "think")])).await;
    app.run(json!({})).await;
    assert_eq!(app.db.documents("usage_ledger/").len(), 1);
    delete(&app).await;
    app.advance(24 * 60 * 60);
    app.run(json!({})).await;
    assert_eq!(app.db.documents("usage_ledger/").len(), 2);
}

#[tokio::test]
async fn what_a_run_uses_is_told_of_who_started_it() {
    for uid in [Some("u1"), None] {
        let llm = Arc::new(ScriptedLlm::answering("x"));
        let app = App::new(llm).await;
        let nodes = json!([
            node("start", "trigger", json!({})),
            node("think", "llm", json!({ "prompt": "Hello" }))
        ]);
        app.save(nodes, json!([edge("start", "think")])).await;
        let mut trigger = trigger(json!({}));
        trigger.source.uid = uid.map(|uid| Uid::parse(uid).unwrap());
        app.deliver(&trigger).await;
        let entries = app.db.documents("usage_ledger/");
        let entry: UsageEntry = decode(&entries[0]).unwrap();
        assert_eq!(entry.uid, trigger.source.uid);
    }
}
