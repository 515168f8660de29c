//! What a change of the tier means for agents.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use shared::{
    ids::{AgentId, OrgId},
    models::{
        Agent, AgentQuota, AgentStatus, AuditLog, DeployState, MemoryDepth, SubscriptionTier,
        Timestamp,
    },
    quota::{AgentPlaces, Error as QuotaError, reserve_agent},
    store::{agents, commit_contended, organizations},
    testing::{self, killed_after},
};

use crate::app::{TestApp, subscription_event};

const UPDATED: &str = "customer.subscription.updated";

fn org_id() -> OrgId {
    "o1".parse().unwrap()
}

fn agent(id: &str, created_at: Timestamp, status: AgentStatus) -> Agent {
    Agent {
        status,
        memory_depth: MemoryDepth::LongTerm,
        deploy_state: DeployState::Deployed,
        ..testing::agent(org_id(), id, created_at)
    }
}

/// An organization on the pro tier with these agents, the first the oldest, and a draft.
async fn with_agents(statuses: &[AgentStatus]) -> TestApp {
    let app = TestApp::with_customer().await;
    app.set_tier(SubscriptionTier::Pro).await;
    let count = i64::try_from(statuses.len()).unwrap();
    let mut draft = agent("draft", app.now().plus_seconds(-9_999), AgentStatus::Paused);
    draft.deploy_state = DeployState::Draft;
    let quota = AgentQuota {
        created: count + 1,
        deployed: count,
        ..AgentQuota::default()
    };
    let mut writes = vec![
        agents::create(&draft).unwrap(),
        organizations::set_agent_quota(&org_id(), &quota, None).unwrap(),
    ];
    // Ids that are in another order than the times.
    for (index, status) in (0..).zip(statuses) {
        let created_at = app.now().plus_seconds(index - 1_000);
        let id = format!("a{}", 9 - index);
        writes.push(agents::create(&agent(&id, created_at, *status)).unwrap());
    }
    app.store.commit(writes).await.unwrap();
    app
}

async fn find(app: &TestApp, id: &str) -> Agent {
    let id = AgentId::parse(id).unwrap();
    let found = app.store.find_agent(&org_id(), &id).await.unwrap();
    found.unwrap().value
}

/// The ids of those that answer.
fn at_work(app: &TestApp) -> Vec<String> {
    let mut at_work = Vec::new();
    for document in app.db.documents("agents/") {
        let agent: Agent = shared::store::decode(&document).unwrap();
        if agent.is_at_work() {
            at_work.push(agent.id.to_string());
        }
    }
    at_work.sort_unstable_by(|one, other| other.cmp(one));
    at_work
}

async fn quota(app: &TestApp) -> AgentQuota {
    let found = app.store.find_agent_quota(&org_id()).await.unwrap();
    found.unwrap().value
}

async fn change_tier(app: &TestApp, id: &str, lookup_key: &str) {
    app.stripe.set("cus_1", "active", lookup_key);
    let event = subscription_event(id, UPDATED);
    assert_eq!(app.outcome(&event).await, "applied");
}

use AgentStatus::{Active, Paused, Training};

#[tokio::test]
async fn a_downgrade_pauses_the_newest_agents_and_an_upgrade_resumes_exactly_those() {
    let app = with_agents(&[Active, Active, Active, Paused, Active]).await;
    change_tier(&app, "evt_1", "starter").await;
    assert_eq!(app.tier().await, SubscriptionTier::Free);
    assert_eq!(at_work(&app), ["a9"], "the oldest");
    assert_eq!(
        (quota(&app).await.deployed, quota(&app).await.suspended),
        (5, 4)
    );
    for id in ["a8", "a7", "a6", "a5"] {
        let agent = find(&app, id).await;
        assert_eq!(
            (agent.status, agent.suspension.is_some()),
            (Paused, true),
            "{id}"
        );
        assert_eq!(
            agent.deploy_state,
            DeployState::Deployed,
            "{id}: nothing is lost"
        );
    }
    change_tier(&app, "evt_2", "pro_monthly").await;
    assert_eq!(
        at_work(&app),
        ["a9", "a8", "a7", "a5"],
        "a6 was paused before"
    );
    assert_eq!(find(&app, "a6").await.suspension, None);
    assert_eq!(
        (quota(&app).await.deployed, quota(&app).await.suspended),
        (5, 0)
    );
}

#[tokio::test]
async fn an_agent_that_works_keeps_its_place_before_an_older_one_that_rests() {
    let app = with_agents(&[Paused, Active, Active]).await;
    change_tier(&app, "evt_1", "starter").await;
    assert_eq!(at_work(&app), ["a8"]);
    assert!(find(&app, "a9").await.suspension.is_some());
}

#[tokio::test]
async fn a_smaller_upgrade_resumes_no_more_than_it_has_room_for() {
    let app = with_agents(&[Active; 9]).await;
    change_tier(&app, "evt_1", "starter").await;
    change_tier(&app, "evt_2", "pro_monthly").await;
    assert_eq!(at_work(&app), ["a9", "a8", "a7", "a6", "a5"]);
    assert_eq!(quota(&app).await.suspended, 4);
}

#[tokio::test]
async fn training_goes_on_and_its_agent_rests_after_it() {
    let app = with_agents(&[Active, Training]).await;
    change_tier(&app, "evt_1", "starter").await;
    let mut training = find(&app, "a8").await;
    assert_eq!(
        (training.status, training.suspension.is_some()),
        (Training, true)
    );
    training.begin_work();
    assert_eq!(training.status, Paused);
    training.end_suspension();
    assert!(training.is_at_work());
}

#[tokio::test]
async fn what_is_paused_is_audited_in_the_same_commit() {
    let app = with_agents(&[Active, Active, Active]).await;
    change_tier(&app, "evt_1", "starter").await;
    let records: Vec<AuditLog> = app
        .db
        .documents("audit_logs/")
        .iter()
        .map(|document| shared::store::decode(document).unwrap())
        .collect();
    let paused = records.iter().find(|record| record.seq == 2).unwrap();
    assert_eq!(paused.action.as_str(), "AGENT_PAUSE");
    let expected = json!({ "agentIds": ["a7", "a8"], "reason": "agent_limit" });
    assert_eq!(paused.metadata.0, expected);
    let commits = app.db.commits();
    let commit = commits.iter().find(|commit| {
        commit
            .iter()
            .any(|write| write.path.as_str() == "agents/a7")
            && commit
                .iter()
                .any(|write| write.path.as_str().starts_with("audit_logs/"))
    });
    assert!(commit.is_some());
}

#[tokio::test]
async fn nobody_deploys_or_resumes_an_agent_above_the_limit() {
    let app = with_agents(&[Active, Active]).await;
    change_tier(&app, "evt_1", "starter").await;
    for attempt in [AgentPlaces::deploy, AgentPlaces::resume] {
        let places = AgentPlaces::find(&app.store, &org_id()).await.unwrap();
        let refused = attempt(places);
        assert!(
            matches!(refused, Err(QuotaError::Exhausted { .. })),
            "{refused:?}"
        );
    }
    change_tier(&app, "evt_2", "pro_monthly").await;
    let places = AgentPlaces::find(&app.store, &org_id()).await.unwrap();
    assert!(places.deploy().is_ok());
}

#[tokio::test]
async fn an_upgrade_makes_room_for_new_agents_at_once() {
    let app = TestApp::with_customer().await;
    let create = || {
        let build = || async { Ok((reserve_agent(&app.store, &org_id(), app.now()).await?, ())) };
        commit_contended::<_, QuotaError, _, _>(&app.store, build)
    };
    create().await.unwrap();
    assert!(matches!(create().await, Err(QuotaError::Exhausted { .. })));
    change_tier(&app, "evt_1", "pro_monthly").await;
    create().await.unwrap();
}

/// A creator that has read the old limit loses against the change of the tier.
#[tokio::test]
async fn who_has_counted_by_the_old_limit_counts_again() {
    let app = with_agents(&[Active]).await;
    let places = AgentPlaces::find(&app.store, &org_id()).await.unwrap();
    change_tier(&app, "evt_1", "starter").await;
    let late = app.store.commit(vec![places.deploy().unwrap()]).await;
    assert!(late.unwrap_err().is_lost_race());
}

/// Dies at awaits all along the way; the sweep does the rest.
#[tokio::test]
async fn a_downgrade_that_is_cut_off_is_finished_by_the_sweep() {
    let mut deaths = 0;
    for polls in (0..).step_by(3) {
        let app = with_agents(&[Active; 9]).await;
        app.stripe.set("cus_1", "active", "starter");
        app.receipt(&subscription_event("evt_1", UPDATED)).await;
        let task = app.queue.take().remove(0);
        let lived = killed_after(polls, app.bring(&task)).await.is_some();
        deaths += usize::from(!lived);
        app.clock.advance(Duration::from_secs(60));
        assert_eq!(app.sweep().await.status, StatusCode::OK);
        app.drain().await;
        assert_eq!(at_work(&app), ["a9"], "{polls}");
        let after = quota(&app).await;
        assert_eq!(
            (after.deployed, after.suspended, after.enforce_at),
            (9, 8, None),
            "{polls}"
        );
        if lived {
            break;
        }
    }
    assert!(deaths > 5, "{deaths} deaths");
}
