//! The life of an agent: draft, active or paused, archived.

use http::Method;
use serde_json::Value;
use shared::{
    ids::{AgentId, OrgId},
    models::{
        Agent, AgentQuota, AgentService, AgentServiceState, AgentStatus, DeployState, Suspension,
    },
    store::{agent_services, agents, organizations},
};

use crate::{
    app::{Answer, TestApp, empty, request},
    seeds::{agent_model, now},
};

const STEPS: [&str; 3] = ["pause", "resume", "archive"];

fn o1() -> OrgId {
    OrgId::parse("o1").unwrap()
}

fn a1() -> AgentId {
    AgentId::parse("a1").unwrap()
}

async fn app_with(status: AgentStatus, deploy_state: DeployState) -> TestApp {
    let app = TestApp::new().await;
    let agent = Agent {
        status,
        deploy_state,
        ..agent_model("a1")
    };
    let counted = AgentQuota {
        created: 2,
        deployed: 2,
        ..AgentQuota::default()
    };
    let writes = vec![
        agents::create(&agent).unwrap(),
        organizations::set_agent_quota(&o1(), &counted, None).unwrap(),
    ];
    app.store.commit(writes).await.unwrap();
    app
}

/// Gives the agent a service that runs.
async fn add_service(app: &TestApp) {
    let mut service = AgentService::new(&o1(), &a1(), now());
    service.state = AgentServiceState::Ready;
    service.due_at = None;
    let write = agent_services::create(&service).unwrap();
    app.store.commit(vec![write]).await.unwrap();
}

async fn take(app: &TestApp, step: &str) -> Answer {
    let path = format!("/agents/a1/{step}");
    app.send(empty(request(Method::POST, &path, "user"))).await
}

async fn counts(app: &TestApp) -> (i64, i64) {
    let quota = app.store.find_agent_quota(&o1()).await.unwrap();
    let quota = quota.unwrap().value;
    (quota.created, quota.deployed)
}

#[tokio::test]
async fn an_agent_is_paused_resumed_and_archived_and_each_step_recorded() {
    let app = app_with(AgentStatus::Active, DeployState::Deployed).await;
    let expected = [
        ("pause", "paused", "deployed"),
        ("resume", "active", "deployed"),
        ("pause", "paused", "deployed"),
        ("archive", "paused", "archived"),
    ];
    for (step, status, deploy_state) in expected {
        let before = app.db.commits().len();
        let answer = take(&app, step).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.body["status"], status, "{step}");
        assert_eq!(answer.body["deployState"], deploy_state, "{step}");
        assert_eq!(app.db.commits().len(), before + 1, "{step}");
    }
    let records = [
        "AGENT_PAUSE",
        "AGENT_RESUME",
        "AGENT_PAUSE",
        "AGENT_ARCHIVE",
    ];
    assert_eq!(app.audited(), records);
}

#[tokio::test]
async fn every_other_step_is_a_conflict_and_changes_nothing() {
    use AgentStatus::{Active, Paused, Training};
    use DeployState::{Archived, Deployed, Draft, Failed, Provisioning};
    let statuses = [Active, Paused, Training];
    for deploy_state in [Draft, Provisioning, Failed, Archived, Deployed] {
        for status in statuses {
            let app = app_with(status, deploy_state).await;
            let before = app.db.commits().len();
            for step in STEPS {
                let begins_at = if step == "pause" { Active } else { Paused };
                if deploy_state == Deployed && status == begins_at {
                    continue;
                }
                let answer = take(&app, step).await;
                let what = format!("{step} {status:?} {deploy_state:?}");
                assert_eq!(answer.refusal(), (409, "failed_precondition"), "{what}");
            }
            assert_eq!(app.db.commits().len(), before);
        }
    }
}

#[tokio::test]
async fn an_archived_agent_gives_its_place_back_and_its_service_goes() {
    let app = app_with(AgentStatus::Paused, DeployState::Deployed).await;
    add_service(&app).await;
    take(&app, "archive").await;
    assert_eq!(counts(&app).await, (2, 1));
    let service = app.store.find_agent_service(&o1(), &a1()).await.unwrap();
    let service = service.unwrap().value;
    assert_eq!(service.state, AgentServiceState::Removing);
    assert!(service.is_due(now()));
    // Deleted afterwards, it gives back only the place that it still has.
    app.delete("user", "/agents/a1").await;
    assert_eq!(counts(&app).await, (1, 1));
}

#[tokio::test]
async fn a_deleted_agents_service_goes_in_the_same_commit() {
    for deploy_state in [DeployState::Deployed, DeployState::Provisioning] {
        let app = app_with(AgentStatus::Active, deploy_state).await;
        add_service(&app).await;
        let before = app.db.commits().len();
        let answer = app.delete("user", "/agents/a1").await;
        assert_eq!(answer.status, 204);
        assert_eq!(app.db.commits().len(), before + 1);
        let service = app.store.find_agent_service(&o1(), &a1()).await.unwrap();
        assert_eq!(service.unwrap().value.state, AgentServiceState::Removing);
        assert_eq!(counts(&app).await, (1, 1));
    }
}

#[tokio::test]
async fn whoever_is_at_the_service_keeps_it_alone_when_the_agent_is_deleted() {
    let app = app_with(AgentStatus::Paused, DeployState::Provisioning).await;
    let mut service = AgentService::new(&o1(), &a1(), now());
    let until = now().plus_seconds(120);
    service.due_at = Some(until);
    let write = agent_services::create(&service).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    app.delete("user", "/agents/a1").await;
    let service = app.store.find_agent_service(&o1(), &a1()).await.unwrap();
    let service = service.unwrap().value;
    assert_eq!(service.state, AgentServiceState::Removing);
    assert_eq!(service.due_at, Some(until));
}

/// Of two deployed agents, `a1` is suspended; the free tier has one place.
async fn app_with_suspended() -> TestApp {
    let app = app_with(AgentStatus::Paused, DeployState::Deployed).await;
    let mut agent = app.store.find_agent(&o1(), &a1()).await.unwrap().unwrap();
    agent.value.suspension = Some(Suspension {
        status: AgentStatus::Active,
        since: now(),
    });
    let mut quota = app.store.find_agent_quota(&o1()).await.unwrap().unwrap();
    quota.value.suspended = 1;
    let writes = vec![
        agents::replace(&agent).unwrap(),
        organizations::set_agent_quota(&o1(), &quota.value, Some(quota.version)).unwrap(),
    ];
    app.store.commit(writes).await.unwrap();
    app
}

async fn suspended(app: &TestApp) -> i64 {
    let quota = app.store.find_agent_quota(&o1()).await.unwrap();
    quota.unwrap().value.suspended
}

#[tokio::test]
async fn a_suspended_agent_is_not_resumed_until_there_is_a_place() {
    let app = app_with_suspended().await;
    let before = app.db.commits().len();
    let refused = take(&app, "resume").await;
    assert_eq!(refused.refusal(), (429, "resource_exhausted"));
    assert_eq!(refused.body["error"]["details"]["limit"], 1);
    assert_eq!(app.db.commits().len(), before);
    // The other one is archived.
    let mut quota = app.store.find_agent_quota(&o1()).await.unwrap().unwrap();
    quota.value.deployed -= 1;
    let write = organizations::set_agent_quota(&o1(), &quota.value, Some(quota.version));
    app.store.commit(vec![write.unwrap()]).await.unwrap();
    let resumed = take(&app, "resume").await;
    assert_eq!(resumed.status, 200, "{}", resumed.body);
    assert_eq!(resumed.body["status"], "active");
    assert_eq!(resumed.body["suspension"], Value::Null);
    assert_eq!(suspended(&app).await, 0);
}

#[tokio::test]
async fn a_suspended_agent_that_goes_leaves_no_trace_in_the_counts() {
    for step in ["archive", "delete"] {
        let app = app_with_suspended().await;
        match step {
            "archive" => assert_eq!(take(&app, step).await.status, 200),
            _ => assert_eq!(app.delete("user", "/agents/a1").await.status, 204),
        }
        assert_eq!(
            (suspended(&app).await, counts(&app).await.1),
            (0, 1),
            "{step}"
        );
    }
}
