//! Searching what was synced.

use std::sync::Arc;

use serde_json::{Value, json};
use shared::{
    ids::OrgId,
    models::{KnowledgeChunk, KnowledgeUse, SubscriptionTier, UsageEntry, UsageState},
    store::{decode, knowledge, organizations},
    testing::{self, ScriptedLlm, keep_chunks},
};

use crate::{
    app::{Answer, TestApp},
    seeds,
};

const SEARCH: &str = "/knowledge/search";
const MODEL: &str = "text-embedding-3-small";

fn chunk(id: &str, principal: &str, text: &str) -> KnowledgeChunk {
    KnowledgeChunk {
        id: id.parse().unwrap(),
        document_id: format!("d-{id}").parse().unwrap(),
        owner_uid: "user".parse().unwrap(),
        ..testing::chunk(principal, &format!("About {id}"), text)
    }
}

/// The application with what organization `o1`, which is on the pro tier here, keeps.
async fn app(chunks: &[KnowledgeChunk]) -> (TestApp, Arc<ScriptedLlm>) {
    let llm = Arc::new(ScriptedLlm::answering("").embedding());
    let app = TestApp::with_llm(llm.clone()).await;
    let org_id = OrgId::parse("o1").unwrap();
    let organization = app.store.find_organization(&org_id).await.unwrap();
    let mut organization = organization.unwrap();
    organization.value.subscription_tier = SubscriptionTier::Pro;
    let used = KnowledgeUse {
        embedding_model: Some(MODEL.to_owned()),
        ..KnowledgeUse::default()
    };
    let writes = vec![
        organizations::replace(&organization).unwrap(),
        knowledge::set_use(&org_id, &used, None).unwrap(),
    ];
    app.store.commit(writes).await.unwrap();
    keep_chunks(&app.store, &org_id, chunks).await;
    (app, llm)
}

fn texts(answer: &Answer) -> Vec<&str> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let hits = answer.body["hits"].as_array().unwrap();
    hits.iter()
        .map(|hit| hit["text"].as_str().unwrap())
        .collect()
}

fn ledger(app: &TestApp) -> Vec<UsageEntry> {
    let entries = app.db.documents("usage_ledger/");
    entries.iter().map(|entry| decode(entry).unwrap()).collect()
}

#[tokio::test]
async fn a_hit_tells_where_its_text_comes_from() {
    let (app, _) = app(&[chunk("c1", "organization", "Invoice INV-2024-0042 is due")]).await;
    let answer = app
        .post("user", SEARCH, &json!({ "query": "INV-2024-0042" }))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let mut hit = answer.body["hits"][0].clone();
    assert!(hit["score"].as_f64().unwrap() > 0.0);
    hit["score"] = Value::Null;
    assert_eq!(
        hit,
        json!({
            "text": "Invoice INV-2024-0042 is due",
            "score": null,
            "citation": {
                "source": "gmail",
                "title": "About c1",
                "link": "https://mail.example.com/m1",
                "date": seeds::now(),
            },
            "documentId": "d-c1",
        })
    );
}

#[tokio::test]
async fn what_is_private_is_found_by_its_user_alone() {
    let chunks = [
        chunk("c1", "organization", "green tea for all"),
        chunk("c2", "user:user", "green tea for one"),
    ];
    let (app, _) = app(&chunks).await;
    let body = json!({ "query": "green tea" });
    let own = app.post("user", SEARCH, &body).await;
    assert_eq!(texts(&own).len(), 2);
    let colleagues = app.post("admin", SEARCH, &body).await;
    assert_eq!(texts(&colleagues), ["green tea for all"]);
}

#[tokio::test]
async fn a_search_can_be_of_one_integration() {
    let other = KnowledgeChunk {
        integration_id: "i2".parse().unwrap(),
        ..chunk("c2", "organization", "green tea in Drive")
    };
    let (app, _) = app(&[chunk("c1", "organization", "green tea in Gmail"), other]).await;
    let body = json!({ "query": "green tea", "integrationId": "i2" });
    let answer = app.post("user", SEARCH, &body).await;
    assert_eq!(texts(&answer), ["green tea in Drive"]);
}

#[tokio::test]
async fn a_search_is_booked_and_a_marked_repeat_of_it_once() {
    let (app, llm) = app(&[chunk("c1", "organization", "green tea")]).await;
    let body = json!({ "query": "green tea" });
    for _ in 0..2 {
        assert_eq!(app.post_once("k1", SEARCH, &body).await.status, 200);
    }
    assert_eq!(ledger(&app).len(), 1);
    assert_eq!(ledger(&app)[0].state, UsageState::Settled);
    let other = json!({ "query": "black tea" });
    assert_eq!(app.post_once("k1", SEARCH, &other).await.status, 200);
    app.post("user", SEARCH, &body).await;
    app.post("user", SEARCH, &body).await;
    assert_eq!(ledger(&app).len(), 4);
    assert_eq!(llm.embedded().len(), 5);
}

#[tokio::test]
async fn nothing_is_asked_of_a_model_when_there_is_nothing_to_search() {
    let llm = Arc::new(ScriptedLlm::answering("").embedding());
    let app = TestApp::with_llm(llm.clone()).await;
    let answer = app
        .post("stranger", SEARCH, &json!({ "query": "tea" }))
        .await;
    assert_eq!(texts(&answer), [""; 0]);
    assert!(llm.embedded().is_empty() && ledger(&app).is_empty());
}

#[tokio::test]
async fn searching_needs_a_plan_with_google_workspace() {
    let llm = Arc::new(ScriptedLlm::answering("").embedding());
    let app = TestApp::with_llm(llm.clone()).await;
    let answer = app.post("user", SEARCH, &json!({ "query": "tea" })).await;
    assert_eq!(answer.refusal(), (400, "failed_precondition"));
    assert!(llm.embedded().is_empty());
}

#[tokio::test]
async fn what_is_wrong_is_told_by_its_field() {
    let (app, _) = app(&[]).await;
    for (body, field) in [
        (json!({ "query": "" }), "query"),
        (json!({ "query": "x".repeat(2_001) }), "query"),
        (json!({ "query": "x", "limit": 0 }), "limit"),
        (json!({ "query": "x", "limit": 21 }), "limit"),
        (
            json!({ "query": "x", "integrationId": "" }),
            "integrationId",
        ),
        (json!({ "query": "x", "principals": [] }), "principals"),
        (json!({}), "body"),
    ] {
        let answer = app.post("user", SEARCH, &body).await;
        assert_eq!(answer.refusal(), (400, "invalid_argument"), "{body}");
        assert_eq!(answer.fields(), [field], "{body}");
    }
}
