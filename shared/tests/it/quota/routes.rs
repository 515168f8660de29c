//! What an organization's route means for what it pays, and for what is kept.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use serde_json::{Value, json};
use shared::{
    ids::OrgId,
    llm::{
        ChatRequest, ChatResponse, Error as LlmError, Message, Provider, ProviderName,
        SharedProvider,
    },
    models::{Limits, LlmRoute, UsageEntry, UsageState},
    quota::{Answer, Call, Error, MeteredLlm, Routing},
    retry::Policy,
    store::{
        Store, decode,
        document_db::{Fields, Operation, Precondition, Write},
        llm_routes,
    },
    testing::{FixedClock, MemoryDb, ScriptedLlm, memory_store, providers},
};

use crate::support::create_organization;

const OPENAI: [&str; 2] = ["openai", "gpt-4.1-mini"];
const ANTHROPIC: [&str; 2] = ["anthropic", "claude-sonnet-5"];

struct Fixture {
    store: Store,
    db: Arc<MemoryDb>,
    llm: MeteredLlm,
    org_id: OrgId,
}

/// Fails once, while the route is set to another one, and says its name then.
struct Switching {
    store: Store,
    clock: FixedClock,
    org_id: OrgId,
    has_failed: AtomicBool,
}

#[async_trait]
impl Provider for Switching {
    async fn chat(&self, request: &ChatRequest) -> Result<ChatResponse, LlmError> {
        if self.has_failed.swap(true, Ordering::Relaxed) {
            return ScriptedLlm::answering("GPT").chat(request).await;
        }
        let set = vec![route(&self.org_id, &[ANTHROPIC])];
        self.store.commit(set).await.unwrap();
        self.clock.advance(Duration::from_secs(6));
        Err(refused(1))
    }
}

impl Fixture {
    /// OpenAI and Anthropic, which says its name.
    async fn new(openai: impl FnOnce(&Store, &FixedClock, &OrgId) -> SharedProvider) -> Self {
        let ((store, db), clock) = (memory_store(), FixedClock::at("2026-11-30T12:00:00Z"));
        let org_id = create_organization(&store, Limits::default()).await;
        let all: [(_, SharedProvider); 2] = [
            (ProviderName::Openai, openai(&store, &clock, &org_id)),
            (
                ProviderName::Anthropic,
                Arc::new(ScriptedLlm::answering("Claude")),
            ),
        ];
        let llm = MeteredLlm::routed(Routing::new(providers(all)), store.clone(), clock.shared());
        Self {
            llm,
            store,
            db,
            org_id,
        }
    }

    /// The same, as services ask.
    fn repeating(self) -> Self {
        let llm = self.llm.with_repeats(Policy::REMOTE_CALL);
        Self { llm, ..self }
    }

    async fn set(&self, candidates: &[[&str; 2]]) {
        let write = route(&self.org_id, candidates);
        self.store.commit(vec![write]).await.unwrap();
    }

    async fn chat(&self, key: &str) -> Result<Answer, Error> {
        self.llm.chat(&self.call(key)).await
    }

    fn call(&self, key: &str) -> Call {
        let request = ChatRequest {
            model: "fast".to_owned(),
            messages: vec![Message::user("Hello")],
            max_output_tokens: 10,
            idempotency_key: key.to_owned(),
            ..ChatRequest::default()
        };
        Call {
            org_id: self.org_id.clone(),
            agent_id: None,
            workflow_id: None,
            execution_id: None,
            uid: None,
            request,
        }
    }

    fn paid(&self) -> Vec<String> {
        let entries = self.db.documents("usage_ledger/");
        let entries = entries
            .iter()
            .map(|entry| decode::<UsageEntry>(entry).unwrap());
        let paid = entries.filter(|entry| entry.state == UsageState::Settled);
        paid.map(|entry| entry.model).collect()
    }
}

/// The route `fast`, which keeps answers.
fn route(org_id: &OrgId, candidates: &[[&str; 2]]) -> Write {
    let steps = candidates.iter().map(
        |[provider, model]| json!({ "candidates": [{ "provider": provider, "model": model }] }),
    );
    let route: LlmRoute = serde_json::from_value(json!({
        "alias": "fast",
        "orgId": org_id,
        "route": { "steps": steps.collect::<Vec<Value>>() },
        "cache": { "ttlSecs": 60, "anyTemperature": true },
        "updatedAt": "2026-11-30T12:00:00Z",
    }))
    .unwrap();
    Write {
        precondition: Precondition::None,
        ..llm_routes::set(&route, None).unwrap()
    }
}

fn refused(retry_after_secs: u64) -> LlmError {
    LlmError::RateLimited {
        retry_after: Some(Duration::from_secs(retry_after_secs)),
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeat_is_paid_by_whoever_has_answered_the_call() {
    let outcomes = [Err(refused(1)), Ok("GPT")];
    let fixture = Fixture::new(|_, _, _| Arc::new(ScriptedLlm::in_order(outcomes))).await;
    fixture.set(&[OPENAI, ANTHROPIC]).await;
    assert_eq!(fixture.chat("k").await.unwrap().response.content, "Claude");
    tokio::time::advance(Duration::from_secs(1)).await;
    let repeat = fixture.llm.chat_anew(&fixture.call("k")).await.unwrap();
    assert_eq!(repeat.response.content, "GPT");
    assert_eq!(fixture.paid(), [ANTHROPIC[1]]);
}

#[tokio::test]
async fn an_answer_that_is_kept_and_cannot_be_read_does_not_fail_the_call() {
    let fixture = Fixture::new(|_, _, _| Arc::new(ScriptedLlm::answering("GPT"))).await;
    fixture.set(&[OPENAI]).await;
    fixture.chat("k").await.unwrap();
    assert!(fixture.chat("k").await.unwrap().is_cached);
    let place = format!("organizations/{}/llm_cache/", fixture.org_id);
    let kept = fixture.db.documents(&place).remove(0);
    let spoilt = Write {
        operation: Operation::Replace(Fields::new()),
        path: kept.path,
        precondition: Precondition::None,
    };
    fixture.store.commit(vec![spoilt]).await.unwrap();
    let again = fixture.chat("k").await.unwrap();
    assert_eq!((&*again.response.content, again.is_cached), ("GPT", false));
}

/// An answer would otherwise be kept as the one of a route that has not given it.
#[tokio::test(start_paused = true)]
async fn a_route_that_is_set_anew_changes_nothing_for_calls_under_way() {
    let fixture = Fixture::new(|store, clock, org_id| {
        Arc::new(Switching {
            store: store.clone(),
            clock: clock.clone(),
            org_id: org_id.clone(),
            has_failed: AtomicBool::new(false),
        })
    });
    let fixture = fixture.await.repeating();
    fixture.set(&[OPENAI]).await;
    assert_eq!(fixture.chat("k").await.unwrap().response.content, "GPT");
    let other = fixture.chat("other").await.unwrap();
    assert_eq!(
        (&*other.response.content, other.is_cached),
        ("Claude", false)
    );
}
