//! Admins are told of a limit once, and switches refuse every call.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use shared::{
    email::Email,
    ids::{OrgId, Uid},
    llm::{ChatRequest, Message, Usage},
    models::{Limits, LlmSwitch, OutboxMessage, Role, TokenQuota, User, UserSettings},
    outbox::Dispatcher,
    quota::{Call, Error, MeteredLlm},
    store::{Store, organizations, platform, users},
    testing::{
        FixedClock, RecordingMailer, ScriptedLlm, invitation_links, memory_store, metered_llm,
    },
};

use super::adapter::{Adapter, on_each_adapter};
use crate::support::{CALLER, create_organization, time};

const NOW: &str = "2026-11-23T12:00:00Z";

on_each_adapter! {
    each_admin_is_told_of_each_share_once,
    calls_that_end_together_tell_once,
    a_thousand_calls_across_both_shares_tell_each_once,
    a_new_month_tells_anew,
    the_budget_has_alerts_of_its_own,
    what_is_above_the_included_tokens_may_be_charged,
    a_limit_within_the_included_tokens_is_told_of_alone,
    switches_refuse_before_anything_is_reserved,
}

struct Fixture {
    store: Store,
    clock: FixedClock,
    model: Arc<ScriptedLlm>,
    llm: MeteredLlm,
    org_id: OrgId,
    adapter: Adapter,
}

impl Fixture {
    async fn new(adapter: &Adapter, limits: Limits) -> Self {
        let ((store, _), clock) = (memory_store(), FixedClock::at(NOW));
        let org_id = create_organization(&store, limits).await;
        for (uid, role, disabled) in [
            ("ada", Role::Admin, false),
            ("bob", Role::Admin, false),
            ("eve", Role::Admin, true),
            ("joe", Role::User, false),
        ] {
            let user = user(uid, &org_id, role, disabled);
            store
                .commit(vec![users::create(&user).unwrap()])
                .await
                .unwrap();
        }
        let model = Arc::new(ScriptedLlm::answering(
            "one two three four five six seven eight nine",
        ));
        let llm = metered_llm(model.clone(), store.clone(), clock.shared());
        let llm = llm.with_admissions(adapter.admissions(&store, &clock), false);
        Self {
            store,
            clock,
            model,
            llm,
            org_id,
            adapter: adapter.clone(),
        }
    }

    async fn chat(&self, key: &str) -> Result<(), Error> {
        let request = request(key);
        let call = Call {
            org_id: self.org_id.clone(),
            agent_id: None,
            workflow_id: None,
            execution_id: None,
            uid: None,
            request,
        };
        self.llm.chat(&call).await.map(drop)
    }

    /// Who is told what, in any order of sending.
    async fn alerts(&self) -> Vec<String> {
        let later = time("2027-01-01T00:00:00Z");
        let rows = self.store.list_due_outbox_rows(&CALLER, later, 100);
        let rows = rows.await.unwrap().into_iter();
        let mut alerts: Vec<String> = rows
            .map(|row| match row.value.message {
                OutboxMessage::UsageAlert {
                    uid,
                    limit,
                    percent,
                    period,
                } => format!("{uid} {limit} {percent} {period}"),
                other => unreachable!("{other:?}"),
            })
            .collect();
        alerts.sort();
        alerts
    }

    /// Has other calls used so many tokens of this month.
    async fn use_up(&self, tokens: i64) {
        let quota = TokenQuota {
            period: "2026-11".to_owned(),
            used: tokens,
            ..TokenQuota::default()
        };
        let write = organizations::set_token_quota(&self.org_id, &quota, None).unwrap();
        self.store.commit(vec![write]).await.unwrap();
    }

    /// Sends what is to be told.
    async fn mails(&self) -> Vec<Email> {
        let mailer = Arc::new(RecordingMailer::new());
        let clock = self.clock.shared();
        let dispatcher = Dispatcher::new(
            self.store.clone(),
            mailer.clone(),
            invitation_links(),
            clock,
        );
        dispatcher.sweep(&CALLER, 10).await.unwrap();
        mailer.sent()
    }

    async fn switch(&self, is_off: bool) {
        let write = platform::set_llm_switch(LlmSwitch { is_off }).unwrap();
        self.store.commit(vec![write]).await.unwrap();
    }
}

fn user(uid: &str, org_id: &OrgId, role: Role, disabled: bool) -> User {
    User {
        uid: Uid::parse(uid).unwrap(),
        email: Some(format!("{uid}@example.com")),
        role,
        organization_id: org_id.clone(),
        created_at: time(NOW),
        settings: UserSettings::default(),
        disabled,
        tokens_valid_after: None,
    }
}

/// Ten tokens are used of it.
fn request(key: &str) -> ChatRequest {
    ChatRequest {
        model: "gpt-4.1-mini".to_owned(),
        messages: vec![Message::user("Hello")],
        max_output_tokens: 9,
        idempotency_key: key.to_owned(),
        ..ChatRequest::default()
    }
}

fn tokens(monthly_tokens: i64) -> Limits {
    Limits {
        monthly_tokens: Some(monthly_tokens),
        ..Limits::default()
    }
}

fn both(what: &str) -> Vec<String> {
    ["ada", "bob"].map(|uid| format!("{uid} {what}")).into()
}

async fn each_admin_is_told_of_each_share_once(adapter: &Adapter) {
    let ceiling = Usage::ceiling(&request("k")).total();
    let fixture = Fixture::new(adapter, tokens(10 * ceiling)).await;
    let mut calls = 0;
    while fixture.chat(&format!("k{calls}")).await.is_ok() {
        calls += 1;
        fixture.clock.advance(Duration::from_secs(1));
        let (used, limit) = (calls * 10, 10 * ceiling);
        let told = if used * 100 >= limit * 80 { 2 } else { 0 };
        assert_eq!(fixture.alerts().await.len(), told, "{used} of {limit}");
    }
    fixture.chat("more").await.unwrap_err();
    let mut expected = both("monthlyTokens 80 2026-11");
    expected.extend(both("monthlyTokens 100 2026-11"));
    expected.sort();
    assert_eq!(fixture.alerts().await, expected);
    let mails = fixture.mails().await;
    let mut subjects: Vec<_> = mails.iter().map(|mail| mail.subject()).collect();
    subjects.sort_unstable();
    assert_eq!(
        subjects,
        [
            "100 % of the monthly tokens used in 2026-11",
            "100 % of the monthly tokens used in 2026-11",
            "80 % of the monthly tokens used in 2026-11",
            "80 % of the monthly tokens used in 2026-11",
        ]
    );
}

async fn calls_that_end_together_tell_once(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, tokens(500)).await;
    let keys: Vec<_> = (0..100).map(|n| format!("k{n}")).collect();
    for keys in keys.chunks(20) {
        join_all(keys.iter().map(|key| fixture.chat(key))).await;
        fixture.clock.advance(Duration::from_secs(6));
    }
    let mut expected = both("monthlyTokens 80 2026-11");
    expected.extend(both("monthlyTokens 100 2026-11"));
    expected.sort();
    assert_eq!(fixture.alerts().await, expected);
}

/// Some thousand tokens are left below the first share; what is refused before it is reached is asked
/// again.
async fn a_thousand_calls_across_both_shares_tell_each_once(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, tokens(40_000)).await;
    fixture.use_up(31_990).await;
    let keys: Vec<_> = (0..1_000).map(|n| format!("k{n}")).collect();
    let ended = join_all(keys.iter().map(|key| fixture.chat(key))).await;
    assert!(ended.iter().any(Result::is_ok));
    fixture.clock.advance(Duration::from_secs(6));
    for n in 0.. {
        if fixture.chat(&format!("more{n}")).await.is_err() {
            break;
        }
    }
    let mut expected = both("monthlyTokens 80 2026-11");
    expected.extend(both("monthlyTokens 100 2026-11"));
    expected.sort();
    assert_eq!(fixture.alerts().await, expected);
}

async fn a_new_month_tells_anew(adapter: &Adapter) {
    let ceiling = Usage::ceiling(&request("k")).total();
    let fixture = Fixture::new(adapter, tokens(ceiling + 160)).await;
    let mut expected = Vec::new();
    for month in ["2026-11", "2026-12"] {
        for n in 0.. {
            if fixture.chat(&format!("{month}-{n}")).await.is_err() {
                break;
            }
        }
        for percent in [80, 100] {
            expected.extend(both(&format!("monthlyTokens {percent} {month}")));
        }
        fixture.clock.advance(Duration::from_secs(10 * 86_400));
    }
    expected.sort();
    assert_eq!(fixture.alerts().await, expected);
}

async fn the_budget_has_alerts_of_its_own(adapter: &Adapter) {
    let limits = Limits {
        monthly_tokens: Some(i64::MAX),
        monthly_cost_micro_usd: Some(200),
        ..Limits::default()
    };
    let fixture = Fixture::new(adapter, limits).await;
    for n in 0.. {
        if fixture.chat(&format!("k{n}")).await.is_err() {
            break;
        }
    }
    let mut expected = both("monthlyCostMicroUsd 80 2026-11");
    expected.extend(both("monthlyCostMicroUsd 100 2026-11"));
    let mut alerts = fixture.alerts().await;
    alerts.retain(|alert| alert.contains("Cost"));
    expected.sort();
    assert_eq!(alerts, expected);
}

/// The sum has tokens of own keys in it.
async fn what_is_above_the_included_tokens_may_be_charged(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, tokens(1_000_000)).await;
    fixture.use_up(200_000).await;
    fixture.chat("one").await.unwrap();
    fixture.clock.advance(Duration::from_secs(6));
    fixture.chat("two").await.unwrap();
    assert_eq!(fixture.alerts().await, both("includedTokens 100 2026-11"));
    let mails = fixture.mails().await;
    assert_eq!(
        mails[0].subject(),
        "100 % of the included tokens used in 2026-11"
    );
    for text in [mails[0].text(), mails[0].html()] {
        assert!(text.contains("may be charged by the plan"), "{text}");
        assert!(
            text.contains("own keys are in this sum, but are not charged"),
            "{text}"
        );
    }
}

async fn a_limit_within_the_included_tokens_is_told_of_alone(adapter: &Adapter) {
    let limits = Limits {
        own_monthly_tokens: Some(200_000),
        ..tokens(1_000_000)
    };
    let fixture = Fixture::new(adapter, limits).await;
    fixture.use_up(200_000).await;
    fixture.chat("one").await.unwrap_err();
    let alerts = fixture.alerts().await;
    assert!(!alerts.is_empty());
    let is_of_the_limit = |alert: &String| alert.contains("monthlyTokens");
    assert!(alerts.iter().all(is_of_the_limit), "{alerts:?}");
}

async fn switches_refuse_before_anything_is_reserved(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, tokens(10_000)).await;
    fixture.chat("before").await.unwrap();
    fixture.switch(true).await;
    fixture.clock.advance(Duration::from_secs(5));
    assert!(matches!(fixture.chat("off").await, Err(Error::SwitchedOff)));
    fixture.switch(false).await;
    fixture.clock.advance(Duration::from_secs(5));
    fixture.chat("on").await.unwrap();
    let block = organizations::set_llm_block(&fixture.org_id, true).unwrap();
    fixture.store.commit(vec![block]).await.unwrap();
    fixture.clock.advance(Duration::from_secs(5));
    assert!(matches!(
        fixture.chat("blocked").await,
        Err(Error::SwitchedOff)
    ));
    let admissions = fixture.adapter.admissions(&fixture.store, &fixture.clock);
    let off = fixture.llm.clone().with_admissions(admissions, true);
    let call = Call {
        org_id: create_organization(&fixture.store, tokens(10_000)).await,
        agent_id: None,
        workflow_id: None,
        execution_id: None,
        uid: None,
        request: request("k"),
    };
    assert!(matches!(off.chat(&call).await, Err(Error::SwitchedOff)));
    assert_eq!(fixture.model.requests().len(), 2);
    let quota = fixture.store.find_token_quota(&call.org_id).await.unwrap();
    assert_eq!(quota, None, "nothing is reserved");
}
