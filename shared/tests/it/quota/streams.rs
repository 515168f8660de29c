//! However a stream ends, it is booked.

use std::{
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use futures::{StreamExt, future, stream};
use shared::{
    ids::OrgId,
    llm::{
        ChatRequest, ChatResponse, ChatStream, Delta, EmbeddingRequest, EmbeddingResponse, Error,
        FinishReason, Message, Provider, Usage,
    },
    models::{Limits, UsageEntry, UsageState},
    quota::{self, Call, MeteredLlm, MeteredStream},
    store::Store,
    testing::{FixedClock, MemoryDb, memory_store, metered_llm},
};
use tokio::time::Instant;

use super::adapter::{Adapter, assert_to_be_metered, on_each_adapter};
use crate::support::create_organization;

const USED: Usage = Usage {
    cache_write_tokens: 0,
    input_tokens: 5,
    output_tokens: 3,
    cached_tokens: 0,
    reasoning_tokens: 0,
    is_estimated: false,
};

on_each_adapter! {
    a_stream_is_booked_before_its_last_piece_is_out,
    a_dropped_stream_is_booked_by_what_the_provider_tells,
    a_dropped_stream_that_has_not_ended_is_estimated,
    what_was_told_early_counts_in_an_estimate,
    a_stream_that_fails_after_it_told_its_use_is_booked,
    a_stream_that_breaks_off_is_estimated,
    a_stream_of_which_nothing_came_is_estimated,
    a_stream_that_is_refused_gives_its_tokens_back,
    embeddings_are_booked,
}

/// What a provider streams: its pieces, and then silence unless they end.
struct Streamed {
    deltas: Mutex<Vec<Result<Delta, Error>>>,
    is_silent: bool,
}

#[async_trait]
impl Provider for Streamed {
    async fn chat(&self, _: &ChatRequest) -> Result<ChatResponse, Error> {
        Err(Error::QuotaExhausted)
    }

    async fn stream(&self, _: &ChatRequest) -> Result<ChatStream, Error> {
        let mut deltas = std::mem::take(&mut *self.deltas.lock().unwrap());
        if deltas.is_empty() && self.is_silent {
            deltas = pieces();
        }
        if let Some(Err(Error::RateLimited { .. })) = deltas.first() {
            return Err(Error::RateLimited { retry_after: None });
        }
        let silence = stream::once(future::pending());
        let deltas = stream::iter(deltas);
        Ok(match self.is_silent {
            true => deltas.chain(silence).boxed(),
            false => deltas.boxed(),
        })
    }

    async fn embed(&self, request: &EmbeddingRequest) -> Result<EmbeddingResponse, Error> {
        Ok(EmbeddingResponse {
            vectors: vec![vec![0.5]; request.inputs.len()],
            model: request.model.clone(),
            usage: Usage {
                output_tokens: 0,
                ..USED
            },
        })
    }
}

struct Fixture {
    store: Store,
    db: Arc<MemoryDb>,
    llm: MeteredLlm,
    org_id: OrgId,
    _adapter: Adapter,
}

impl Fixture {
    async fn new(adapter: &Adapter, deltas: Vec<Result<Delta, Error>>, is_silent: bool) -> Self {
        let ((store, db), clock) = (memory_store(), FixedClock::at("2026-11-23T12:00:00Z"));
        let limits = Limits {
            monthly_tokens: Some(ceiling()),
            ..Limits::default()
        };
        let org_id = create_organization(&store, limits).await;
        let provider = Streamed {
            deltas: Mutex::new(deltas),
            is_silent,
        };
        let llm = metered_llm(Arc::new(provider), store.clone(), clock.shared());
        let llm = llm.with_admissions(adapter.admissions(&store, &clock), false);
        Self {
            store,
            db,
            llm,
            org_id,
            _adapter: adapter.clone(),
        }
    }

    async fn stream(&self, key: &str) -> Result<MeteredStream, quota::Error> {
        self.llm.stream(&self.call(request(key))).await
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

    /// The one settled call: tokens in and out, and whether they are estimated.
    async fn booked(&self) -> (i64, i64, bool) {
        let settled = self.settled().await;
        assert_eq!(settled.len(), 1, "{settled:?}");
        let entry = &settled[0];
        (entry.input_tokens, entry.output_tokens, entry.is_estimated)
    }
}

fn request(key: &str) -> ChatRequest {
    ChatRequest {
        model: "gpt-4.1-mini".to_owned(),
        messages: vec![Message::user("Hello")],
        max_output_tokens: 100,
        idempotency_key: key.to_owned(),
        ..ChatRequest::default()
    }
}

fn ceiling() -> i64 {
    Usage::ceiling(&request("k")).total()
}

/// 16 bytes, of which three are a token of the estimate.
fn pieces() -> Vec<Result<Delta, Error>> {
    let texts = ["once", " upon a", " time"];
    texts.map(|text| Ok(Delta::Text(text.to_owned()))).into()
}

fn whole() -> Vec<Result<Delta, Error>> {
    let end = Delta::End {
        model: "gpt-4.1-mini".to_owned(),
        usage: USED,
        finish_reason: FinishReason::Stop,
    };
    let mut deltas = pieces();
    deltas.push(Ok(end));
    deltas
}

fn estimated_input() -> i64 {
    Usage::estimate(&request("k"), 0).input_tokens
}

fn told_early() -> Result<Delta, Error> {
    Ok(Delta::Usage(Usage {
        input_tokens: 40,
        output_tokens: 1,
        ..Usage::default()
    }))
}

async fn a_stream_is_booked_before_its_last_piece_is_out(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, whole(), false).await;
    let mut stream = fixture.stream("k").await.unwrap();
    for _ in 0..3 {
        assert!(matches!(stream.next().await, Some(Ok(Delta::Text(_)))));
        assert_eq!(fixture.settled().await.len(), 0);
    }
    assert!(matches!(stream.next().await, Some(Ok(Delta::End { .. }))));
    assert_eq!(fixture.booked().await, (5, 3, false));
    assert!(stream.next().await.is_none());
}

async fn a_dropped_stream_is_booked_by_what_the_provider_tells(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, whole(), false).await;
    let mut stream = fixture.stream("k").await.unwrap();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    assert_eq!(fixture.settled().await.len(), 0, "nothing runs by itself");
    fixture.llm.book_dropped().await;
    assert_eq!(fixture.booked().await, (5, 3, false));
}

async fn a_dropped_stream_that_has_not_ended_is_estimated(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, pieces(), true).await;
    let mut stream = fixture.stream("k").await.unwrap();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    fixture.llm.book_dropped_at_once().await;
    assert_eq!(fixture.booked().await, (estimated_input(), 6, true));
}

async fn what_was_told_early_counts_in_an_estimate(adapter: &Adapter) {
    let mut deltas = pieces();
    deltas.insert(0, told_early());
    let fixture = Fixture::new(adapter, deltas, true).await;
    drop(fixture.stream("k").await.unwrap());
    fixture.llm.book_dropped_at_once().await;
    assert_eq!(fixture.booked().await, (40, 6, true));
}

async fn a_stream_that_fails_after_it_told_its_use_is_booked(adapter: &Adapter) {
    let deltas = vec![told_early(), Err(Error::QuotaExhausted)];
    let fixture = Fixture::new(adapter, deltas, false).await;
    let error = fixture.stream("k").await.err().unwrap();
    assert!(matches!(error, quota::Error::Llm(_)), "{error}");
    assert_eq!(fixture.booked().await, (40, 1, false));
}

async fn a_stream_of_which_nothing_came_is_estimated(adapter: &Adapter) {
    let deltas = vec![Err(Error::Timeout("silence".into()))];
    let fixture = Fixture::new(adapter, deltas, false).await;
    let error = fixture.stream("k").await.err().unwrap();
    assert!(matches!(error, quota::Error::Llm(_)), "{error}");
    assert_eq!(fixture.booked().await, (estimated_input(), 100, true));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_stream_is_read_on_for_two_seconds_at_most() {
    let fixture = Fixture::new(&Adapter::Firestore, pieces(), true).await;
    drop(fixture.stream("k").await.unwrap());
    let started = Instant::now();
    fixture.llm.book_dropped().await;
    assert_eq!(started.elapsed().as_secs(), 2);
    assert_eq!(fixture.booked().await, (estimated_input(), 6, true));
}

#[tokio::test(start_paused = true)]
async fn a_stranger_does_not_wait_for_what_others_have_left() {
    let fixture = Fixture::new(&Adapter::Firestore, pieces(), true).await;
    drop(fixture.stream("k").await.unwrap());
    let stranger = Call {
        org_id: create_organization(&fixture.store, Limits::default()).await,
        ..fixture.call(request("k"))
    };
    let started = Instant::now();
    let stream = fixture.llm.stream(&stranger).await.unwrap();
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(fixture.settled().await.len(), 0, "it is left to the next");
    fixture.llm.book_dropped_at_once().await;
    assert_eq!(fixture.booked().await, (estimated_input(), 6, true));
    drop(stream);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_cannot_be_booked_fails_once_and_is_over() {
    let fixture = Fixture::new(&Adapter::Firestore, whole(), false).await;
    let stream = fixture.stream("k").await.unwrap();
    fixture.db.fail_next_commits(4, false);
    let mut stream = pin!(stream.into_stream());
    let mut told = Vec::new();
    for _ in 0..6 {
        told.extend(stream.next().await);
    }
    assert!(matches!(
        told[..],
        [Ok(_), Ok(_), Ok(_), Err(quota::Error::Store(_))]
    ));
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_booked_is_booked_later() {
    let fixture = Fixture::new(&Adapter::Firestore, whole(), false).await;
    let mut stream = fixture.stream("k").await.unwrap();
    fixture.db.fail_next_commits(4, false);
    for _ in 0..3 {
        stream.next().await.unwrap().unwrap();
    }
    stream.next().await.unwrap().unwrap_err();
    assert!(stream.next().await.is_none());
    drop(stream);
    fixture.llm.book_dropped_at_once().await;
    assert_eq!(fixture.booked().await, (5, 3, false));
}

async fn a_stream_that_breaks_off_is_estimated(adapter: &Adapter) {
    let mut deltas = pieces();
    deltas.push(Err(Error::Interrupted("gone".into())));
    let fixture = Fixture::new(adapter, deltas, false).await;
    let stream = fixture.stream("k").await.unwrap();
    let pieces: Vec<_> = stream.into_stream().collect().await;
    assert!(matches!(
        pieces[..],
        [Ok(_), Ok(_), Ok(_), Err(quota::Error::Llm(_))]
    ));
    assert_eq!(fixture.booked().await, (estimated_input(), 6, true));
}

async fn a_stream_that_is_refused_gives_its_tokens_back(adapter: &Adapter) {
    let refused = vec![Err(Error::RateLimited { retry_after: None })];
    let fixture = Fixture::new(adapter, refused, false).await;
    assert!(matches!(
        fixture.stream("k").await,
        Err(quota::Error::Llm(_))
    ));
    assert_eq!(fixture.settled().await.len(), 0);
    let next = fixture.stream("next").await.err().unwrap();
    let is_asked = matches!(next, quota::Error::Llm(Error::Interrupted(_)));
    assert!(is_asked, "all of it is free, and nothing comes: {next}");
}

async fn embeddings_are_booked(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, Vec::new(), false).await;
    let request = EmbeddingRequest {
        model: "text-embedding-3-small".to_owned(),
        inputs: vec!["one".to_owned(), "two".to_owned()],
        dimensions: None,
        idempotency_key: "k".to_owned(),
    };
    let answer = fixture.llm.embed(&fixture.call(request)).await.unwrap();
    assert_eq!(answer.response.vectors.len(), 2);
    assert_eq!(fixture.booked().await, (5, 0, false));
}
