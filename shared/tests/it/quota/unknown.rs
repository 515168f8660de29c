//! A call of which nobody knows what became is paid all the same, once.

use std::{pin::pin, sync::Arc};

use async_trait::async_trait;
use futures::future::{Either, pending, select};
use serde_json::json;
use shared::{
    ids::OrgId,
    llm::{
        self, ChatRequest, ChatResponse, EmbeddingRequest, Message, Provider, ProviderName,
        SharedProvider, Usage,
    },
    models::{Limits, UsageEntry, UsageState},
    quota::{Call, Error, MeteredLlm},
    store::Store,
    testing::{FixedClock, MemoryDb, ScriptedLlm, killed_after, memory_store, metered_llm},
};
use tokio::sync::Notify;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

use super::adapter::{Adapter, assert_to_be_metered, on_each_adapter};
use crate::{llm::server::provider, support::create_organization};

/// A word asked and one answered.
const USED: Usage = Usage {
    input_tokens: 1,
    output_tokens: 1,
    cached_tokens: 0,
    cache_write_tokens: 0,
    reasoning_tokens: 0,
    is_estimated: false,
};

on_each_adapter! {
    a_call_of_unknown_outcome_is_booked_by_an_estimate,
    a_call_of_unknown_outcome_gives_back_what_it_will_not_have_used,
    a_repeat_of_a_call_of_unknown_outcome_is_answered_and_pays_once,
    a_repeat_of_a_call_of_unknown_outcome_needs_room_of_its_own,
    a_call_whose_caller_goes_away_is_booked_while_others_are_served,
    a_call_whose_caller_goes_away_is_booked_by_the_next,
    a_repeat_of_a_call_whose_caller_went_away_pays_once,
    embeddings_of_unknown_outcome_are_booked_by_an_estimate,
    what_was_embedded_before_a_failure_is_paid,
}

/// A model that never answers, and tells when it is asked.
#[derive(Default)]
struct Silent(Notify);

#[async_trait]
impl Provider for Silent {
    async fn chat(&self, _: &ChatRequest) -> Result<ChatResponse, llm::Error> {
        self.0.notify_one();
        pending().await
    }
}

struct Fixture {
    store: Store,
    db: Arc<MemoryDb>,
    clock: FixedClock,
    llm: MeteredLlm,
    org_id: OrgId,
    adapter: Adapter,
}

impl Fixture {
    async fn new(adapter: &Adapter, provider: SharedProvider) -> Self {
        let limit = Usage::ceiling(&request("k")).total() * 3 / 2;
        Self::with_limit(adapter, provider, limit).await
    }

    async fn with_limit(adapter: &Adapter, provider: SharedProvider, limit: i64) -> Self {
        let ((store, db), clock) = (memory_store(), FixedClock::at("2026-11-23T12:00:00Z"));
        let limits = Limits {
            monthly_tokens: Some(limit),
            ..Limits::default()
        };
        let org_id = create_organization(&store, limits).await;
        let llm = metered_llm(provider, store.clone(), clock.shared());
        let llm = llm.with_admissions(adapter.admissions(&store, &clock), false);
        Self {
            store,
            db,
            clock,
            llm,
            org_id,
            adapter: adapter.clone(),
        }
    }

    /// Its model fails once, and then answers with a word.
    async fn failing_once(adapter: &Adapter) -> Self {
        let outcomes = [Err(llm::Error::Timeout("silence".into())), Ok("one")];
        Self::new(adapter, Arc::new(ScriptedLlm::in_order(outcomes))).await
    }

    /// The same books with another model.
    fn asking(&self, provider: SharedProvider) -> MeteredLlm {
        let llm = metered_llm(provider, self.store.clone(), self.clock.shared());
        llm.with_admissions(self.adapter.admissions(&self.store, &self.clock), false)
    }

    fn call<R>(&self, request: R) -> Call<R> {
        Call {
            org_id: self.org_id.clone(),
            agent_id: None,
            workflow_id: None,
            execution_id: None,
            uid: None,
            request,
        }
    }

    async fn chat(&self, key: &str) -> Result<(), Error> {
        self.llm.chat(&self.call(request(key))).await.map(drop)
    }

    async fn settled(&self) -> Vec<UsageEntry> {
        let mut settled = Vec::new();
        let keep = |entry: UsageEntry| {
            assert_to_be_metered(&entry);
            if entry.state == UsageState::Settled {
                settled.push(entry);
            }
        };
        let (from, to) = ("2026-01-01", "2027-01-01");
        let read = self.store.each_usage_entry(&self.org_id, from, to, keep);
        read.await.unwrap();
        settled
    }

    /// The one settled call is booked like that, and counted.
    async fn assert_booked(&self, usage: Usage) {
        let settled = self.settled().await;
        assert_eq!(settled.len(), 1, "{settled:?}");
        let entry = &settled[0];
        let booked = (entry.input_tokens, entry.output_tokens, entry.is_estimated);
        let Usage {
            input_tokens,
            output_tokens,
            is_estimated,
            ..
        } = usage;
        assert_eq!(booked, (input_tokens, output_tokens, is_estimated));
        assert_eq!(self.counted().await, usage.total());
    }

    async fn counted(&self) -> i64 {
        let organization = self.store.find_organization(&self.org_id).await.unwrap();
        organization.unwrap().value.api_usage
    }
}

fn request(key: &str) -> ChatRequest {
    ChatRequest {
        model: "gpt-4.1-mini".to_owned(),
        messages: vec![Message::user("Hello")],
        max_output_tokens: 5_000,
        idempotency_key: key.to_owned(),
        ..ChatRequest::default()
    }
}

fn texts() -> EmbeddingRequest {
    EmbeddingRequest {
        model: "gemini-embedding-2".to_owned(),
        inputs: ["one", "two", "three"].map(str::to_owned).into(),
        dimensions: None,
        idempotency_key: "k".to_owned(),
    }
}

async fn a_call_of_unknown_outcome_is_booked_by_an_estimate(adapter: &Adapter) {
    let fixture = Fixture::failing_once(adapter).await;
    let error = fixture.chat("k").await.unwrap_err();
    assert!(
        matches!(error, Error::Llm(llm::Error::Timeout(_))),
        "{error}"
    );
    let unseen = Usage::unseen(&request("k"));
    assert_eq!(unseen.output_tokens, 4_096, "no more than that is assumed");
    fixture.assert_booked(unseen).await;
}

async fn a_call_of_unknown_outcome_gives_back_what_it_will_not_have_used(adapter: &Adapter) {
    let fixture = Fixture::failing_once(adapter).await;
    fixture.chat("k").await.unwrap_err();
    let mut small = fixture.call(request("small"));
    small.request.max_output_tokens = 3_300;
    fixture.llm.chat(&small).await.unwrap();
}

async fn a_repeat_of_a_call_of_unknown_outcome_is_answered_and_pays_once(adapter: &Adapter) {
    let outcomes = [Err(llm::Error::Timeout("silence".into())), Ok("one")];
    let model = Arc::new(ScriptedLlm::in_order(outcomes));
    let limit = Usage::ceiling(&request("k")).total() * 2;
    let fixture = Fixture::with_limit(adapter, model, limit).await;
    fixture.chat("k").await.unwrap_err();
    fixture.chat("k").await.unwrap();
    let answered = Usage {
        is_estimated: false,
        ..Usage::unseen(&request("k"))
    };
    fixture.assert_booked(answered).await;
}

/// Otherwise a route that waits for a millisecond would have calls for nothing.
async fn a_repeat_of_a_call_of_unknown_outcome_needs_room_of_its_own(adapter: &Adapter) {
    let fixture = Fixture::failing_once(adapter).await;
    fixture.chat("k").await.unwrap_err();
    let refused = fixture.chat("k").await.unwrap_err();
    assert!(matches!(refused, Error::Exhausted { .. }), "{refused}");
}

async fn a_call_whose_caller_goes_away_is_booked_by_the_next(adapter: &Adapter) {
    let silent = Arc::new(Silent::default());
    let fixture = Fixture::new(adapter, silent.clone()).await;
    drop(fixture.chat("early"));
    assert!(killed_after(1, fixture.chat("early")).await.is_none());
    fixture.llm.book_dropped().await;
    assert_eq!(fixture.settled().await.len(), 0, "nobody was asked");
    go_away(&fixture, &silent).await;
    assert_eq!(fixture.settled().await.len(), 0, "nothing runs by itself");
    fixture.llm.book_dropped().await;
    fixture.assert_booked(Usage::unseen(&request("k"))).await;
}

async fn a_call_whose_caller_goes_away_is_booked_while_others_are_served(adapter: &Adapter) {
    let silent = Arc::new(Silent::default());
    let fixture = Fixture::new(adapter, silent.clone()).await;
    let serving = async {
        go_away(&fixture, &silent).await;
        while fixture.counted().await == 0 {
            tokio::task::yield_now().await;
        }
    };
    Box::pin(fixture.llm.book_while(serving)).await;
    fixture.assert_booked(Usage::unseen(&request("k"))).await;
}

async fn a_repeat_of_a_call_whose_caller_went_away_pays_once(adapter: &Adapter) {
    let silent = Arc::new(Silent::default());
    let fixture = Fixture::new(adapter, silent.clone()).await;
    go_away(&fixture, &silent).await;
    let answering = fixture.asking(Arc::new(ScriptedLlm::answering("one")));
    answering.chat(&fixture.call(request("k"))).await.unwrap();
    fixture.llm.book_dropped().await;
    fixture.assert_booked(USED).await;
}

/// Calls, and goes away when the model has been asked.
async fn go_away(fixture: &Fixture, silent: &Silent) {
    let call = pin!(fixture.chat("k"));
    let asked = pin!(silent.0.notified());
    assert!(matches!(select(call, asked).await, Either::Right(_)));
}

async fn embeddings_of_unknown_outcome_are_booked_by_an_estimate(adapter: &Adapter) {
    let server = vertex([ResponseTemplate::new(200).set_body_string("nonsense")]).await;
    let vertex = provider(ProviderName::Vertex, &server.uri());
    let fixture = Fixture::new(adapter, vertex).await;
    let texts = texts();
    let error = fixture.llm.embed(&fixture.call(texts.clone())).await;
    assert!(matches!(error, Err(Error::Llm(llm::Error::Malformed(_)))));
    fixture
        .assert_booked(Usage::embedding_estimate(&texts))
        .await;
}

async fn what_was_embedded_before_a_failure_is_paid(adapter: &Adapter) {
    let vector = ResponseTemplate::new(200).set_body_json(json!({
        "embedding": { "values": [3.0, 4.0] },
        "usageMetadata": { "promptTokenCount": 7 },
    }));
    let refusal = ResponseTemplate::new(429)
        .set_body_json(json!({ "error": { "code": 429, "status": "RESOURCE_EXHAUSTED" } }));
    let server = vertex([vector.clone(), vector, refusal]).await;
    let vertex = provider(ProviderName::Vertex, &server.uri());
    let fixture = Fixture::new(adapter, vertex).await;
    let failed = fixture.llm.embed(&fixture.call(texts())).await;
    assert!(matches!(failed, Err(Error::Llm(error)) if error.used().is_some()));
    let used = Usage {
        input_tokens: 14,
        ..Usage::default()
    };
    fixture.assert_booked(used).await;
}

/// Answers in their order.
async fn vertex<const N: usize>(answers: [ResponseTemplate; N]) -> MockServer {
    let server = MockServer::start().await;
    for answer in answers {
        let mock = Mock::given(matchers::any()).respond_with(answer);
        mock.up_to_n_times(1).mount(&server).await;
    }
    server
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_booked_is_booked_by_the_next() {
    let fixture = Fixture::new(&Adapter::Firestore, Arc::new(Silent::default())).await;
    let db = Arc::clone(&fixture.db);
    let llm = fixture.asking(Arc::new(ScriptedLlm::new(move |_| {
        db.fail_next_commits(4, false);
        Ok("one".to_owned())
    })));
    let error = llm.chat(&fixture.call(request("k"))).await.unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error}");
    llm.book_dropped().await;
    fixture.assert_booked(USED).await;
}
