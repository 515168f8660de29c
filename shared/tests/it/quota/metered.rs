use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use shared::{
    ids::OrgId,
    llm::{self, ChatRequest, ChatResponse, Message, Usage, price},
    models::{Limits, Organization, TokenQuota, UsageEntry, UsageState},
    quota::{Call, Error, MeteredLlm, Resource, SharedAdmissions},
    store::Store,
    testing::{FixedClock, MemoryDb, ScriptedLlm, memory_store, metered_llm},
};

use super::adapter::{Adapter, on_each_adapter};
use crate::support::{create_organization, month};

const NOW: &str = "2026-11-30T23:59:59.9Z";
const DAY: &str = "2026-11-30";

/// One word asked, three answered: what the scripted model uses of each call.
const ANSWER: &str = "one two three";
const USED: Usage = Usage {
    input_tokens: 1,
    output_tokens: 3,
    cached_tokens: 0,
    cache_write_tokens: 0,
    reasoning_tokens: 0,
    is_estimated: false,
};

on_each_adapter! {
    a_call_is_booked_with_what_it_used,
    parallel_calls_never_pass_the_limit_and_leave_no_drift,
    calls_that_cannot_fit_together_are_not_admitted_together,
    a_limit_of_zero_admits_nothing,
    a_model_without_a_price_is_not_asked,
    an_organization_that_is_not_there_cannot_ask,
    a_refused_call_gives_its_reservation_back,
    a_released_call_can_be_made_again_under_its_key,
    a_repeat_of_a_settled_call_is_answered_and_not_booked_again,
    a_new_month_has_a_new_limit,
    the_same_key_of_two_organizations_is_two_calls,
    a_call_that_ends_in_the_next_month_counts_in_the_month_it_was_admitted_in,
    no_model_is_asked_when_the_reservation_cannot_be_kept,
}

struct Fixture {
    store: Store,
    db: Arc<MemoryDb>,
    clock: FixedClock,
    model: Arc<ScriptedLlm>,
    llm: MeteredLlm,
    admissions: SharedAdmissions,
    org_id: OrgId,
    _adapter: Adapter,
}

impl Fixture {
    /// An organization whose model always answers.
    async fn new(adapter: &Adapter, monthly_tokens: i64) -> Self {
        Self::with_model(adapter, monthly_tokens, |_, _| {
            ScriptedLlm::answering(ANSWER)
        })
        .await
    }

    /// An organization whose model fails once and then answers.
    async fn failing_once(adapter: &Adapter, monthly_tokens: i64, error: llm::Error) -> Self {
        let model = ScriptedLlm::in_order([Err(error), Ok(ANSWER)]);
        Self::with_model(adapter, monthly_tokens, |_, _| model).await
    }

    async fn with_model(
        adapter: &Adapter,
        monthly_tokens: i64,
        model: impl FnOnce(Arc<MemoryDb>, FixedClock) -> ScriptedLlm,
    ) -> Self {
        let ((store, db), clock) = (memory_store(), FixedClock::at(NOW));
        let limits = Limits {
            monthly_tokens: Some(monthly_tokens),
            ..Limits::default()
        };
        let org_id = create_organization(&store, limits).await;
        let model = Arc::new(model(Arc::clone(&db), clock.clone()));
        let admissions = adapter.admissions(&store, &clock);
        let llm = metered_llm(model.clone(), store.clone(), clock.shared());
        let llm = llm.with_admissions(Arc::clone(&admissions), false);
        Self {
            store,
            db,
            clock,
            model,
            llm,
            admissions,
            org_id,
            _adapter: adapter.clone(),
        }
    }

    fn call(&self, key: &str) -> Call {
        Call {
            org_id: self.org_id.clone(),
            agent_id: None,
            workflow_id: None,
            execution_id: None,
            uid: None,
            request: request(key),
        }
    }

    async fn chat(&self, key: &str) -> Result<ChatResponse, Error> {
        let answer = self.llm.chat(&self.call(key)).await?;
        Ok(answer.response)
    }

    fn calls(&self) -> usize {
        self.model.requests().len()
    }

    async fn entries(&self) -> Vec<UsageEntry> {
        self.entries_of(&self.org_id).await
    }

    async fn entries_of(&self, org_id: &OrgId) -> Vec<UsageEntry> {
        let mut entries = Vec::new();
        let keep = |entry| entries.push(entry);
        let read = self
            .store
            .each_usage_entry(org_id, "2026-01-01", "2027-01-01", keep);
        read.await.unwrap();
        entries
    }

    async fn assert_nothing_is_booked(&self) {
        let entries = self.entries().await.into_iter();
        let settled = entries.filter(|entry| entry.state == UsageState::Settled);
        assert_eq!(settled.count(), 0);
    }

    async fn quota(&self) -> TokenQuota {
        self.store
            .find_token_quota(&self.org_id)
            .await
            .unwrap()
            .unwrap()
            .value
    }

    async fn organization(&self) -> Organization {
        self.store
            .find_organization(&self.org_id)
            .await
            .unwrap()
            .unwrap()
            .value
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

/// The most tokens that one call of these tests can use.
fn ceiling() -> i64 {
    Usage::ceiling(&request("k")).total()
}

async fn a_call_is_booked_with_what_it_used(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, 10_000).await;
    assert_eq!(fixture.chat("k").await.unwrap().content, ANSWER);
    let entries = fixture.entries().await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].state, UsageState::Settled);
    assert_eq!((entries[0].input_tokens, entries[0].output_tokens), (1, 3));
    let cost = price::find("gpt-4.1-mini", DAY)
        .unwrap()
        .cost_micro_usd(&USED);
    assert_eq!(entries[0].cost_micro_usd, cost);
    assert_eq!(
        (entries[0].day.as_str(), entries[0].period.as_str()),
        (DAY, "2026-11")
    );
    let stats = fixture
        .store
        .find_current_stats(&fixture.org_id)
        .await
        .unwrap()
        .unwrap()
        .value;
    assert_eq!(
        (stats.tokens, stats.requests, stats.cost_micro_usd),
        (4, 1, cost)
    );
    assert!(
        (stats.percent_of_limit - 0.04).abs() < 1e-9,
        "{}",
        stats.percent_of_limit
    );
    assert_eq!(fixture.organization().await.api_usage, USED.total());
}

async fn parallel_calls_never_pass_the_limit_and_leave_no_drift(adapter: &Adapter) {
    let limit = ceiling() * 7 + 3;
    let model = |_, _| ScriptedLlm::answering(ANSWER).using_all();
    let fixture = Fixture::with_model(adapter, limit, model).await;
    let keys: Vec<_> = (0..40).map(|n| format!("k{n}")).collect();
    let results = join_all(keys.iter().map(|key| fixture.chat(key))).await;
    let answered = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(answered, 7, "each takes all that it may");
    assert_eq!(
        fixture.calls(),
        answered,
        "a refused call never reaches the model"
    );
    for error in results.into_iter().filter_map(Result::err) {
        let exhausted = matches!(
            &error,
            Error::Exhausted {
                resource: Resource::MonthlyTokens,
                ..
            }
        );
        assert!(exhausted, "{error:?}");
    }
    fixture.admissions.sweep(&fixture.org_id).await.unwrap();
    let quota = fixture.quota().await;
    let booked: i64 = fixture
        .entries()
        .await
        .iter()
        .map(|entry| entry.input_tokens + entry.output_tokens)
        .sum();
    assert!(quota.open.is_empty());
    assert_eq!(quota.used, limit - 3);
    assert_eq!(
        (booked, fixture.organization().await.api_usage),
        (quota.used, quota.used)
    );
    let stats = month(&fixture.db, &fixture.org_id, "2026-11");
    assert_eq!(stats.unwrap().tokens, quota.used);
}

async fn calls_that_cannot_fit_together_are_not_admitted_together(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, ceiling()).await;
    let keys: Vec<_> = (0..20).map(|n| format!("k{n}")).collect();
    let results = join_all(keys.iter().map(|key| fixture.chat(key))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
}

async fn a_limit_of_zero_admits_nothing(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, 0).await;
    let error = fixture.chat("k").await.unwrap_err();
    assert!(
        matches!(error, Error::Exhausted { limit: 0, .. }),
        "{error:?}"
    );
    assert_eq!((fixture.calls(), fixture.entries().await.len()), (0, 0));
}

async fn a_model_without_a_price_is_not_asked(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, 10_000).await;
    let mut call = fixture.call("k");
    call.request.model = "gpt-unheard-of".to_owned();
    let error = fixture.llm.chat(&call).await.unwrap_err();
    assert!(matches!(error, Error::UnknownModel(_)), "{error:?}");
    assert_eq!(fixture.calls(), 0);
}

async fn an_organization_that_is_not_there_cannot_ask(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, 10_000).await;
    let call = Call {
        org_id: OrgId::generate(),
        ..fixture.call("k")
    };
    let error = fixture.llm.chat(&call).await.unwrap_err();
    assert!(matches!(error, Error::UnknownOrganization), "{error:?}");
}

async fn a_refused_call_gives_its_reservation_back(adapter: &Adapter) {
    let fixture = Fixture::failing_once(
        adapter,
        ceiling(),
        llm::Error::RateLimited { retry_after: None },
    )
    .await;
    let error = fixture.chat("k").await.unwrap_err();
    assert!(
        matches!(error, Error::Llm(llm::Error::RateLimited { .. })),
        "{error:?}"
    );
    fixture.assert_nothing_is_booked().await;
    fixture.chat("other").await.unwrap();
}

async fn a_released_call_can_be_made_again_under_its_key(adapter: &Adapter) {
    let fixture = Fixture::failing_once(adapter, ceiling(), llm::Error::QuotaExhausted).await;
    fixture.chat("k").await.unwrap_err();
    fixture.chat("k").await.unwrap();
    let entries = fixture.entries().await;
    assert_eq!((entries.len(), entries[0].state), (1, UsageState::Settled));
}

async fn a_repeat_of_a_settled_call_is_answered_and_not_booked_again(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, ceiling()).await;
    fixture.chat("k").await.unwrap();
    fixture.chat("k").await.unwrap();
    assert_eq!((fixture.calls(), fixture.entries().await.len()), (2, 1));
    assert_eq!(fixture.quota().await.used, USED.total());
}

async fn a_new_month_has_a_new_limit(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, ceiling()).await;
    fixture.chat("old").await.unwrap();
    assert!(matches!(
        fixture.chat("more").await,
        Err(Error::Exhausted { .. })
    ));
    fixture.clock.advance(Duration::from_millis(100));
    fixture.chat("new").await.unwrap();
    let stats = fixture
        .store
        .find_current_stats(&fixture.org_id)
        .await
        .unwrap()
        .unwrap()
        .value;
    assert_eq!(
        (stats.period.as_str(), stats.tokens),
        ("2026-12", USED.total())
    );
    assert_eq!(fixture.organization().await.api_usage, USED.total());
}

async fn the_same_key_of_two_organizations_is_two_calls(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, 10_000).await;
    let other = create_organization(&fixture.store, Limits::default()).await;
    fixture.chat("k").await.unwrap();
    fixture
        .llm
        .chat(&Call {
            org_id: other.clone(),
            ..fixture.call("k")
        })
        .await
        .unwrap();
    let entries = fixture.entries_of(&other).await;
    assert_eq!((entries.len(), fixture.entries().await.len()), (1, 1));
}

async fn a_call_that_ends_in_the_next_month_counts_in_the_month_it_was_admitted_in(
    adapter: &Adapter,
) {
    let model = |_, clock: FixedClock| {
        ScriptedLlm::new(move |_| {
            clock.advance(Duration::from_secs(60));
            Ok(ANSWER.to_owned())
        })
    };
    let fixture = Fixture::with_model(adapter, 10_000, model).await;
    fixture.chat("late").await.unwrap();
    assert_eq!(fixture.entries().await[0].day, DAY);
    let org_id = &fixture.org_id;
    let stats = month(&fixture.db, org_id, "2026-11");
    assert_eq!(stats.unwrap().tokens, USED.total());
    assert!(month(&fixture.db, org_id, "2026-12").is_none());
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_booked_once_when_the_commit_is_answered_by_silence() {
    let adapter = &Adapter::Firestore;
    for applied in [true, false] {
        let model = |db: Arc<MemoryDb>, _| {
            ScriptedLlm::new(move |_| {
                db.fail_next_commits(1, applied);
                Ok(ANSWER.to_owned())
            })
        };
        let fixture = Fixture::with_model(adapter, 10_000, model).await;
        fixture.chat("k").await.unwrap();
        assert_eq!(
            fixture.quota().await.used,
            USED.total(),
            "applied: {applied}"
        );
        assert_eq!(fixture.organization().await.api_usage, USED.total());
        assert_eq!(fixture.calls(), 1);
    }
}

async fn no_model_is_asked_when_the_reservation_cannot_be_kept(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, 10_000).await;
    fixture.db.fail_next_commits(1, false);
    let error = fixture.chat("k").await.unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error:?}");
    assert_eq!(fixture.calls(), 0);
}
