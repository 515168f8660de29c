//! No route reaches a provider without admission.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use serde_json::json;
use shared::{
    ids::OrgId,
    llm::{ChatRequest, ChatResponse, EmbeddingRequest, EmbeddingResponse, Error, Provider, Usage},
    models::{LlmSwitch, TokenQuota, UsageEntry},
    store::{
        decode,
        document_db::{Operation, Write},
        organizations::{set_llm_block, set_token_quota},
        platform::set_llm_switch,
    },
    testing::ScriptedLlm,
};

use crate::{
    app::{Answer, TestApp},
    edge::call,
    table::{Route, routes, seed},
};

/// A model that counts what it is asked.
#[derive(Default)]
struct Watched(AtomicUsize);

impl Watched {
    fn calls(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Provider for Watched {
    async fn chat(&self, request: &ChatRequest) -> Result<ChatResponse, Error> {
        self.0.fetch_add(1, Ordering::SeqCst);
        ScriptedLlm::answering("Hello").chat(request).await
    }

    async fn embed(&self, request: &EmbeddingRequest) -> Result<EmbeddingResponse, Error> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(EmbeddingResponse {
            vectors: vec![vec![0.0]; request.inputs.len()],
            model: request.model.clone(),
            usage: Usage::default(),
        })
    }
}

/// What a route has come to in an organization in which these documents are written.
struct Tried {
    answer: Answer,
    calls: usize,
    entries: Vec<UsageEntry>,
}

async fn try_with(route: &Route, writes: Vec<Write>) -> Tried {
    let llm = Arc::new(Watched::default());
    let app = TestApp::with_llm(llm.clone()).await;
    seed(&app).await;
    app.store.commit(writes).await.unwrap();
    let answer = call(&app, route, "admin", &route.path()).await;
    app.state.end().await;
    let entries = app.db.documents("usage_ledger/");
    Tried {
        answer,
        calls: llm.calls() + app.speaker.requests().len(),
        entries: entries.iter().map(|entry| decode(entry).unwrap()).collect(),
    }
}

/// The routes that ask a model when they may, and how often.
async fn reaching() -> Vec<Route> {
    let mut reaching = Vec::new();
    for route in routes() {
        let tried = try_with(&route, Vec::new()).await;
        let name = route.name();
        assert_eq!(
            tried.entries.len(),
            tried.calls,
            "{name}: each call has its entry"
        );
        if tried.calls > 0 {
            reaching.push(route);
        }
    }
    reaching
}

fn quota(quota: TokenQuota) -> Vec<Write> {
    let quota = TokenQuota {
        period: "2026-11".to_owned(),
        ..quota
    };
    vec![set_token_quota(&OrgId::parse("o1").unwrap(), &quota, None).unwrap()]
}

fn spent() -> Vec<Write> {
    quota(TokenQuota {
        used: 200_000,
        ..TokenQuota::default()
    })
}

fn blocked() -> Vec<Write> {
    quota(TokenQuota {
        is_blocked: true,
        ..TokenQuota::default()
    })
}

fn switched_off() -> Vec<Write> {
    vec![set_llm_switch(LlmSwitch { is_off: true }).unwrap()]
}

#[tokio::test]
async fn the_routes_that_ask_a_model_book_each_call() {
    let names: Vec<String> = reaching().await.iter().map(Route::name).collect();
    for name in [
        "POST /llm/chat/completions",
        "POST /llm/embeddings",
        "POST /agents/{id}/speech",
    ] {
        assert!(names.contains(&name.to_owned()), "{names:?}");
    }
}

#[tokio::test]
async fn no_route_asks_a_model_that_the_organization_may_not_ask() {
    for writes in [spent(), blocked(), switched_off()] {
        for route in routes() {
            let tried = try_with(&route, writes.clone()).await;
            let name = route.name();
            assert_eq!((tried.calls, tried.entries.len()), (0, 0), "{name}");
        }
    }
}

#[tokio::test]
async fn a_route_that_asks_a_model_says_that_the_budget_is_spent() {
    for (writes, refusal) in [
        (spent(), (429, "resource_exhausted")),
        (blocked(), (400, "failed_precondition")),
        (switched_off(), (400, "failed_precondition")),
    ] {
        for route in reaching().await {
            let Tried { answer, .. } = try_with(&route, writes.clone()).await;
            assert_eq!(answer.refusal(), refusal, "{}", route.name());
        }
    }
}

/// What a write sets, as the runbook tells operators to set it by hand.
fn told(write: &Write) -> String {
    let (Operation::Replace(fields) | Operation::Merge { fields, .. }) = &write.operation else {
        unreachable!("{write:?}")
    };
    assert_eq!(fields.len(), 1, "nothing else is set");
    let field = fields.keys().next().unwrap();
    let path = write.path.as_str().replace("/o1/", "/{id}/");
    format!("set `{field}` of `{path}` to `true`")
}

#[tokio::test]
async fn the_switches_of_the_runbook_work_within_five_seconds() {
    let runbook = include_str!("../../../../docs/runbooks/budget.md");
    let org_id = OrgId::parse("o1").unwrap();
    let all = |is_off| set_llm_switch(LlmSwitch { is_off }).unwrap();
    let one = |is_off| set_llm_block(&org_id, is_off).unwrap();
    let table = [
        ([all(true), all(false)], [400, 400]),
        ([one(true), one(false)], [400, 200]),
    ];
    for ([off, on], expected) in table {
        let told = told(&off);
        assert!(runbook.contains(&told), "the runbook does not tell: {told}");
        let app = TestApp::with_llm(Arc::new(Watched::default())).await;
        for (write, expected) in [
            (None, [200; 2]),
            (Some(off), expected),
            (Some(on), [200; 2]),
        ] {
            app.store.commit(Vec::from_iter(write)).await.unwrap();
            app.clock.advance(Duration::from_secs(5));
            for (token, expected) in ["user", "stranger"].into_iter().zip(expected) {
                let message = json!({ "role": "user", "content": "Hello" });
                let body = json!({ "model": "gpt-4.1-mini", "messages": [message] });
                let answer = app.post(token, "/llm/chat/completions", &body).await;
                assert_eq!(answer.status, expected, "{token}: {}", answer.body);
            }
        }
    }
}
