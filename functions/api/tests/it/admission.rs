//! No route reaches a provider without admission.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use shared::{
    ids::OrgId,
    llm::{ChatRequest, ChatResponse, EmbeddingRequest, EmbeddingResponse, Error, Provider, Usage},
    models::{LlmSwitch, TokenQuota, UsageEntry},
    store::{decode, document_db::Write, organizations::set_token_quota, platform::set_llm_switch},
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
