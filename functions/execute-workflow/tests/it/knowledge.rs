//! Nodes that search what was synced.

use std::sync::Arc;

use serde_json::{Value, json};
use shared::{
    ids::{RecordId, Uid},
    models::{
        Execution, ExecutionStatus, KnowledgeChunk, KnowledgeUse, Role, SubscriptionTier, Trigger,
        TriggerSource, TriggerType, User,
    },
    store::{knowledge, users},
    testing::{RecordingActions, ScriptedLlm, chunk, keep_chunks, killed_after},
};

use crate::{
    app::{App, edge, node, org_id, trigger},
    turns::{self, change_tier},
};

const MODEL: &str = "text-embedding-3-small";
const TEXT: &str = "green tea";

/// Has the organization, on the pro tier, keep these chunks.
pub(crate) async fn keep(app: &App, chunks: &[KnowledgeChunk]) {
    change_tier(app, SubscriptionTier::Pro).await;
    let used = KnowledgeUse {
        embedding_model: Some(MODEL.to_owned()),
        ..KnowledgeUse::default()
    };
    let writes = vec![knowledge::set_use(&org_id(), &used, None).unwrap()];
    app.store.commit(writes).await.unwrap();
    keep_chunks(&app.store, &org_id(), chunks).await;
}

/// Member `u1`, and chunks for everybody and for two users, in which workflow `w1` searches.
async fn app(llm: &Arc<ScriptedLlm>) -> App {
    let app = turns::app(llm.clone(), &Arc::new(RecordingActions::doing_all()), &[]).await;
    let of = |principal: &str| chunk(principal, "About tea", &format!("{TEXT} for {principal}"));
    keep(&app, &["organization", "user:u1", "user:u2"].map(of)).await;
    let find = json!({ "query": "${trigger.query}", "limit": "${trigger.limit}" });
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("find", "knowledge", find),
        node("done", "output", json!({ "value": "${nodes.find.output}" })),
    ]);
    app.save(nodes, json!([edge("start", "find"), edge("find", "done")]))
        .await;
    app
}

fn embedding() -> Arc<ScriptedLlm> {
    Arc::new(ScriptedLlm::answering("").embedding())
}

fn started_by(kind: TriggerType, uid: Option<&str>, payload: Value) -> Trigger {
    Trigger {
        kind,
        source: TriggerSource {
            function: "api".to_owned(),
            uid: uid.map(|uid| Uid::parse(uid).unwrap()),
        },
        ..trigger(payload)
    }
}

fn wanted() -> Value {
    json!({ "query": TEXT, "limit": 10 })
}

async fn run(app: &App, trigger: &Trigger) -> Execution {
    app.deliver(trigger).await;
    app.settle().await;
    app.execution().await
}

fn texts(execution: &Execution) -> Vec<String> {
    assert_eq!(
        execution.status,
        ExecutionStatus::Succeeded,
        "{execution:?}"
    );
    let hits = &execution.output.as_ref().unwrap().0["hits"];
    let hits = hits.as_array().unwrap().iter();
    let mut texts: Vec<_> = hits
        .map(|hit| hit["text"].as_str().unwrap().to_owned())
        .collect();
    texts.sort();
    texts
}

fn code(execution: Execution) -> String {
    assert_eq!(execution.status, ExecutionStatus::Failed);
    execution.error.unwrap().code
}

#[tokio::test]
async fn a_run_finds_what_whoever_it_is_for_may_find() {
    use TriggerType::{Manual, OnEmailReceived, Schedule};
    for (kind, uid, found) in [
        (Manual, Some("u1"), &["organization", "user:u1"][..]),
        (OnEmailReceived, Some("u1"), &["organization", "user:u1"]),
        (Schedule, None, &["organization"]),
    ] {
        let app = app(&embedding()).await;
        let execution = run(&app, &started_by(kind, uid, wanted())).await;
        let expected = found.iter().map(|one| format!("{TEXT} for {one}"));
        assert_eq!(texts(&execution), expected.collect::<Vec<_>>(), "{kind:?}");
    }
}

#[tokio::test]
async fn a_hit_tells_where_it_is_from_and_its_query_is_booked() {
    let llm = embedding();
    let app = app(&llm).await;
    let execution = run(&app, &started_by(TriggerType::Schedule, None, wanted())).await;
    let mut hit = execution.output.as_ref().unwrap().0["hits"][0].clone();
    assert!(hit["score"].as_f64().unwrap() > 0.0);
    hit["score"] = Value::Null;
    assert_eq!(
        hit,
        json!({
            "text": "green tea for organization",
            "score": null,
            "citation": {
                "source": "gmail",
                "title": "About tea",
                "link": "https://mail.example.com/m1",
                "date": turns::now(),
            },
            "documentId": RecordId::derive(&["organization", "About tea"]),
        })
    );
    assert_eq!(llm.embedded(), [TEXT]);
    let used = app.step("find").await.result.unwrap().tokens;
    assert_eq!((used, execution.budget.used_tokens), (2, 2));
    assert_eq!(app.db.count("usage_ledger"), 1);
}

/// Between the start and the search, days may pass.
#[tokio::test]
async fn nothing_is_found_for_whoever_may_not_search_any_more() {
    let llm = embedding();
    for (change, uid) in [("disabled", "u1"), ("viewer", "u1"), ("gone", "nobody")] {
        let app = app(&llm).await;
        let found = app.store.find_user(&Uid::parse("u1").unwrap()).await;
        let mut user = found.unwrap().unwrap();
        user.value = User {
            disabled: change == "disabled",
            role: match change {
                "viewer" => Role::Viewer,
                _ => Role::User,
            },
            ..user.value
        };
        let writes = vec![users::set_membership(&user).unwrap()];
        app.store.commit(writes).await.unwrap();
        let trigger = started_by(TriggerType::Manual, Some(uid), wanted());
        assert_eq!(
            code(run(&app, &trigger).await),
            "permission_denied",
            "{change}"
        );
    }
    let app = app(&llm).await;
    let nameless = started_by(TriggerType::Manual, None, wanted());
    assert_eq!(code(run(&app, &nameless).await), "permission_denied");
    assert!(llm.embedded().is_empty());
}

#[tokio::test]
async fn below_pro_nothing_is_searched() {
    let llm = embedding();
    let app = app(&llm).await;
    change_tier(&app, SubscriptionTier::Free).await;
    let execution = run(&app, &started_by(TriggerType::Schedule, None, wanted())).await;
    assert_eq!(code(execution), "failed_precondition");
    assert!(llm.embedded().is_empty());
}

#[tokio::test]
async fn a_limit_is_held_to_what_it_may_be() {
    for (limit, count) in [(json!(1), Some(1)), (json!(null), Some(2))] {
        let app = app(&embedding()).await;
        let payload = json!({ "query": TEXT, "limit": limit });
        let execution = run(&app, &started_by(TriggerType::Manual, Some("u1"), payload)).await;
        assert_eq!(Some(texts(&execution).len()), count);
    }
    for limit in [json!(0), json!(21), json!("many"), json!(1.5)] {
        let app = app(&embedding()).await;
        let payload = json!({ "query": TEXT, "limit": limit });
        let execution = run(&app, &started_by(TriggerType::Manual, Some("u1"), payload)).await;
        assert_eq!(code(execution), "invalid_argument", "{limit}");
    }
}

#[tokio::test]
async fn a_worker_killed_at_any_await_pays_for_one_search() {
    let mut polls = 0;
    loop {
        let llm = embedding();
        let app = app(&llm).await;
        let trigger = started_by(TriggerType::Manual, Some("u1"), wanted());
        app.fire(&trigger).await;
        let killed = killed_after(polls, app.deliver_again(&trigger)).await;
        app.deliver(&trigger).await;
        for _ in 0..4 {
            app.advance(61);
            app.tick().await;
        }
        assert_eq!(
            texts(&app.execution().await).len(),
            2,
            "killed after {polls} polls"
        );
        assert_eq!(
            app.db.count("usage_ledger"),
            1,
            "killed after {polls} polls"
        );
        assert!(llm.embedded().len() <= 2, "killed after {polls} polls");
        if killed.is_some() {
            return;
        }
        polls += 1;
    }
}
