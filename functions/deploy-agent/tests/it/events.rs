use axum::body::Body;
use http::{Request, StatusCode};
use shared::{
    events::{Document, encode_written},
    ids::{AgentId, OrgId},
    models::{Agent, AgentRuntime, AgentStatus, DeployState, Presence, SubscriptionTier},
    store::{agents, encode},
    testing::TestServiceVerifier,
};

use crate::{
    app::{Answer, TestApp, agent, now},
    containers::{PATIENT, running},
};

impl TestApp {
    async fn deliver(&self, old: Option<&Agent>, new: Option<&Agent>) -> Answer {
        let body = encode_written(new.map(document), old.map(document));
        self.send(event("agents/a1", body, "expected")).await
    }

    /// Changes an agent past the API, as a client may.
    async fn change(&self, change: impl Fn(&mut Agent)) -> (Agent, Agent) {
        let (org_id, id) = (OrgId::parse("o1").unwrap(), AgentId::parse("a1").unwrap());
        let mut agent = self.store.find_agent(&org_id, &id).await.unwrap().unwrap();
        let before = agent.value.clone();
        change(&mut agent.value);
        let write = agents::replace(&agent).unwrap();
        self.store.commit(vec![write]).await.unwrap();
        (before, agent.value)
    }
}

fn document(agent: &Agent) -> Document {
    let path = shared::store::DocumentPath::new("agents", agent.id.as_str());
    let path_text = path.as_str().to_owned();
    Document {
        name: format!("projects/demo/databases/(default)/documents/{path_text}"),
        fields: encode(&path, agent).unwrap().into_iter().collect(),
        create_time: None,
        update_time: Some(Default::default()),
    }
}

fn event(path: &str, body: Vec<u8>, token: &str) -> Request<Body> {
    Request::post("/events")
        .header("ce-specversion", "1.0")
        .header("ce-id", "e1")
        .header("ce-type", "google.cloud.firestore.document.v1.updated")
        .header("ce-source", "//firestore.googleapis.com/projects/demo")
        .header("ce-subject", format!("documents/{path}"))
        .header("content-type", "application/protobuf")
        .header("authorization", format!("Bearer {token}"))
        .body(Body::from(body))
        .unwrap()
}

fn rename(agent: &mut Agent) {
    agent.name = "Grace".to_owned();
}

async fn registered() -> TestApp {
    let app = TestApp::with_agents(SubscriptionTier::Free, 1).await;
    app.deploy("a1").await;
    app
}

#[tokio::test]
async fn a_registered_agent_gets_the_revision_of_its_new_configuration() {
    let app = registered().await;
    let (before, after) = app.change(rename).await;
    let answer = app.deliver(Some(&before), Some(&after)).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.body);
    let agent = app.agent("a1").await;
    let revision = |agent: &Agent| agent.runtime.as_ref().unwrap().revision().to_owned();
    assert_ne!(revision(&agent), revision(&before));
    assert_eq!(agent.name, "Grace");
    assert_eq!(app.audits(), 2);
}

#[tokio::test]
async fn its_own_writes_and_repeats_change_nothing() {
    let app = registered().await;
    let (before, after) = app.change(rename).await;
    app.deliver(Some(&before), Some(&after)).await;
    let (own, commits) = (app.agent("a1").await, app.db.commits().len());
    // Its own write, the same event again, and one that tells no old value.
    for (old, new) in [(Some(&after), &own), (Some(&before), &after), (None, &own)] {
        let answer = app.deliver(old, Some(new)).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
    }
    assert_eq!(app.db.commits().len(), commits);
}

#[tokio::test]
async fn an_event_that_comes_late_does_not_bring_back_what_was() {
    let app = registered().await;
    let (first, second) = app.change(rename).await;
    let (_, third) = app.change(|agent| agent.name = "Mary".to_owned()).await;
    app.deliver(Some(&second), Some(&third)).await;
    let newest = app.agent("a1").await;
    app.deliver(Some(&first), Some(&second)).await;
    assert_eq!(app.agent("a1").await, newest);
}

#[tokio::test]
async fn a_write_that_changes_nothing_watched_is_not_even_looked_at() {
    let app = registered().await;
    let (before, after) = app
        .change(|agent| {
            agent.presence = Presence::at(now().plus_seconds(60));
            agent.status = AgentStatus::Paused;
        })
        .await;
    app.db.fail_all(true);
    let answer = app.deliver(Some(&before), Some(&after)).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_draft_is_not_deployed_by_an_event() {
    let app = TestApp::with_agents(SubscriptionTier::Free, 1).await;
    let (before, after) = app.change(rename).await;
    for old in [None, Some(&before)] {
        let answer = app.deliver(old, Some(&after)).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
    }
    assert_eq!(app.agent("a1").await.deploy_state, DeployState::Draft);
}

#[tokio::test]
async fn a_containers_service_is_changed_while_the_agent_works_on() {
    let app = TestApp::with_agents(SubscriptionTier::Free, 1).await;
    let (app, cloud_run) = app.with_containers(PATIENT).await;
    app.deploy_container("a1").await;
    app.change(|agent| agent.status = AgentStatus::Paused).await;
    let (before, after) = app.change(rename).await;
    cloud_run.set_slowness(usize::MAX);
    let answer = app.deliver(Some(&before), Some(&after)).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.body);
    let agent = app.agent("a1").await;
    assert_eq!(agent.deploy_state, DeployState::Deployed);
    assert_eq!(agent.runtime, before.runtime);
    // Another change meanwhile is part of it.
    let (before, after) = app.change(|agent| agent.name = "Mary".to_owned()).await;
    cloud_run.set_slowness(0);
    app.deliver(Some(&before), Some(&after)).await;
    app.sweep().await;
    let agent = app.agent("a1").await;
    let Some(AgentRuntime::Container { revision, .. }) = &agent.runtime else {
        panic!("{:?}", agent.runtime)
    };
    let service = &cloud_run.services()[0].1;
    assert_eq!(
        &service["template"]["containers"][0]["env"][3]["value"],
        revision
    );
    // Nobody has asked for it to work.
    assert_eq!(agent.status, AgentStatus::Paused);
    assert_eq!(app.deployed().await, 1);
}

#[tokio::test]
async fn a_deletion_takes_the_service_along() {
    let app = TestApp::with_agents(SubscriptionTier::Free, 1).await;
    let (app, cloud_run) = app.with_containers(PATIENT).await;
    app.deploy_container("a1").await;
    let last = app.agent("a1").await;
    app.delete_agent("a1").await;
    let answer = app.deliver(Some(&last), None).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.body);
    assert_eq!(running(&cloud_run), Vec::<String>::new());
}

#[tokio::test]
async fn an_agent_that_goes_otherwise_takes_its_service_along_too() {
    let app = TestApp::with_agents(SubscriptionTier::Free, 1).await;
    let (app, cloud_run) = app.with_containers(PATIENT).await;
    app.deploy_container("a1").await;
    let last = app.agent("a1").await;
    let (org_id, id) = (OrgId::parse("o1").unwrap(), AgentId::parse("a1").unwrap());
    let found = app.store.find_agent(&org_id, &id).await.unwrap().unwrap();
    app.store
        .commit(vec![agents::delete(&found)])
        .await
        .unwrap();
    app.deliver(Some(&last), None).await;
    assert_eq!(running(&cloud_run), Vec::<String>::new());
}

#[tokio::test]
async fn while_the_database_is_down_the_event_comes_again() {
    let app = registered().await;
    let (before, after) = app.change(rename).await;
    app.db.fail_all(true);
    let answer = app.deliver(Some(&before), Some(&after)).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn what_is_no_agent_is_acknowledged_and_recorded() {
    let app = registered().await;
    let mut spoilt = document(&agent("o1", "a1"));
    spoilt.fields.remove("orgId");
    let spoilt = encode_written(Some(spoilt), None);
    let mut elsewhere = document(&agent("o1", "a1"));
    elsewhere.name = elsewhere.name.replace("agents/a1", "agents/a2");
    let elsewhere = encode_written(Some(elsewhere), None);
    for body in [spoilt, elsewhere, b"\xff".to_vec()] {
        let before = app.db.count("idempotency");
        let mut request = event("agents/a1", body, "expected");
        let id = format!("e{before}").parse().unwrap();
        request.headers_mut().insert("ce-id", id);
        let answer = app.send(request).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.body);
        assert_eq!(app.db.count("idempotency"), before + 1);
    }
}

#[tokio::test]
async fn only_the_expected_callers_deliver_events_and_ticks() {
    let app = registered().await;
    let verifier = std::sync::Arc::new(TestServiceVerifier);
    let callers = shared::http::ServiceCallers::verified_by(verifier);
    let state = app.state.clone().with_callers(callers);
    let app = TestApp {
        router: deploy_agent::router(state),
        ..app
    };
    let body = encode_written(Some(document(&app.agent("a1").await)), None);
    let sweep = |token: &str| {
        Request::post("/sweep")
            .header("authorization", format!("Bearer {token}"))
            .body(Body::empty())
            .unwrap()
    };
    for (token, expected) in [
        (TestServiceVerifier::FOREIGN, 403),
        ("admin", 401),
        (TestServiceVerifier::UNDECIDED, 503),
    ] {
        let delivered = app.send(event("agents/a1", body.clone(), token)).await;
        assert_eq!(delivered.status, expected, "{token}");
        assert_eq!(app.send(sweep(token)).await.status, expected, "{token}");
    }
    let token = TestServiceVerifier::EXPECTED;
    assert_eq!(app.send(event("agents/a1", body, token)).await.status, 204);
    assert_eq!(app.send(sweep(token)).await.status, 200);
}
