use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use shared::{
    clock::Clock,
    ids::{AgentId, OrgId},
    models::{
        AgentRuntime, AgentService, AgentServiceState, AgentStatus, DeployState, SubscriptionTier,
    },
    store::{agent_services, agents, decode},
    testing::FakeCloudRun,
};

use crate::app::{Answer, TestApp, agent, now};

pub(crate) const PATIENT: u32 = 20;

impl TestApp {
    pub(crate) async fn deploy_container(&self, id: &str) -> Answer {
        let config = json!({ "runtime": "container" });
        self.call("admin", json!({ "agentId": id, "config": config }))
            .await
    }

    /// What is to be done about an agent's service.
    pub(crate) async fn service_state(&self, id: &str) -> Option<AgentServiceState> {
        let (org_id, id) = (OrgId::parse("o1").unwrap(), AgentId::parse(id).unwrap());
        let service = self.store.find_agent_service(&org_id, &id).await.unwrap();
        service.map(|service| service.value.state)
    }

    /// Deletes an agent as the API does.
    pub(crate) async fn delete_agent(&self, id: &str) {
        let (org_id, id) = (OrgId::parse("o1").unwrap(), AgentId::parse(id).unwrap());
        let agent = self.store.find_agent(&org_id, &id).await.unwrap().unwrap();
        let now = self.clock.now().into();
        let removal = self.store.agent_service_removal(&org_id, &id, now).await;
        let mut writes = vec![agents::delete(&agent)];
        writes.extend(removal.unwrap());
        self.store.commit(writes).await.unwrap();
    }

    /// The outcomes that were recorded, oldest first.
    fn recorded(&self) -> Vec<Value> {
        let mut records: Vec<Value> = self
            .db
            .documents("audit_logs/")
            .iter()
            .map(|document| decode(document).unwrap())
            .collect();
        records.sort_by_key(|record| record["seq"].as_i64());
        let state = |record: &Value| {
            let metadata = record["metadata"].as_str().unwrap();
            let metadata: Value = serde_json::from_str(metadata).unwrap();
            json!([record["actorId"], metadata["deployState"]])
        };
        records.iter().map(state).collect()
    }
}

async fn app(looks: u32) -> (TestApp, FakeCloudRun) {
    let app = TestApp::with_agents(SubscriptionTier::Free, 2).await;
    app.with_containers(looks).await
}

/// The agents whose services are there.
pub(crate) fn running(cloud_run: &FakeCloudRun) -> Vec<String> {
    let services = cloud_run.services().into_iter();
    let mut agents: Vec<String> = services
        .map(|(_, service)| service["labels"]["agent"].as_str().unwrap().to_owned())
        .collect();
    agents.sort_unstable();
    agents
}

#[tokio::test]
async fn a_container_is_a_service_that_nobody_may_call_from_outside() {
    let (app, cloud_run) = app(PATIENT).await;
    let answer = app.deploy_container("a1").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let result = &answer.body["result"];
    assert_eq!(result["deployState"], "deployed");
    assert_eq!(result["status"], "active");
    assert_eq!(result["runtime"]["kind"], "container");
    let services = cloud_run.services();
    let [(id, service)] = &services[..] else {
        panic!("{services:?}")
    };
    assert_eq!(result["runtime"]["service"], json!(id));
    assert_eq!(result["runtime"]["uri"], service["uri"]);
    assert_eq!(service["ingress"], "INGRESS_TRAFFIC_INTERNAL_ONLY");
    assert_eq!(service["invokerIamDisabled"], false);
    assert_eq!(service["labels"]["agent"], "a1");
    assert_eq!(service["labels"]["organization"], "o1");
    let template = &service["template"];
    let scaling = json!({ "minInstanceCount": 0, "maxInstanceCount": 3 });
    assert_eq!(template["scaling"], scaling);
    let digits = id.strip_prefix("agent-").unwrap();
    let account = format!("agent-{digits}@demo.iam.gserviceaccount.com");
    assert_eq!(template["serviceAccount"], account);
    let container = &template["containers"][0];
    assert_eq!(container["image"], "image@sha256:00ff");
    assert_eq!(container["startupProbe"]["httpGet"]["path"], "/healthz");
    let revision = &result["runtime"]["revision"];
    let env = json!([
        { "name": "AGENT_ID", "value": "a1" },
        { "name": "ORG_ID", "value": "o1" },
        { "name": "GOOGLE_CLOUD_PROJECT", "value": "demo" },
        { "name": "AGENT_REVISION", "value": revision },
    ]);
    assert_eq!(container["env"], env);
    assert_eq!(cloud_run.problems(), Vec::<String>::new());
}

#[tokio::test]
async fn each_step_is_recorded_in_its_commit() {
    let (app, _cloud_run) = app(PATIENT).await;
    app.deploy_container("a1").await;
    let expected = [
        json!(["admin", "provisioning"]),
        json!(["system:deploy-agent", "deployed"]),
    ];
    assert_eq!(app.recorded(), expected);
    for commit in app.db.commits() {
        let names = |prefix: &str| {
            let paths = commit.iter().map(|write| write.path.as_str());
            paths.filter(|path| path.starts_with(prefix)).count()
        };
        // The first commit sets the organization up.
        if names("organizations/o1") != 2 && names("users/") == 0 {
            assert_eq!(names("agents/"), names("audit_logs/"), "{commit:?}");
        }
    }
}

#[tokio::test]
async fn before_the_first_call_the_place_is_taken_and_the_task_is_kept() {
    let (app, cloud_run) = app(PATIENT).await;
    cloud_run.set_failure(Some(StatusCode::SERVICE_UNAVAILABLE));
    let answer = app.deploy_container("a1").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.body["result"]["deployState"], "provisioning");
    assert_eq!(answer.body["result"]["status"], "paused");
    assert_eq!(app.deployed().await, 1);
    let state = app.service_state("a1").await;
    assert_eq!(state, Some(AgentServiceState::Provisioning));
    assert_eq!(
        app.deploy("a2").await.refusal(),
        (429, "RESOURCE_EXHAUSTED")
    );
}

#[tokio::test]
async fn a_repeat_changes_nothing() {
    let (app, cloud_run) = app(PATIENT).await;
    let first = app.deploy_container("a1").await;
    let (calls, commits) = (cloud_run.calls().len(), app.db.commits().len());
    for repeat in [app.deploy_container("a1").await, app.deploy("a1").await] {
        assert_eq!(repeat.body, first.body);
    }
    assert_eq!(cloud_run.calls().len(), calls);
    assert_eq!(app.db.commits().len(), commits);
}

#[tokio::test]
async fn what_takes_longer_than_a_call_is_finished_by_the_sweep() {
    let (app, cloud_run) = app(3).await;
    cloud_run.set_slowness(5);
    let answer = app.deploy_container("a1").await;
    assert_eq!(answer.body["result"]["deployState"], "provisioning");
    // Neither a repeat nor another tick gets into the way.
    let repeat = app.deploy_container("a1").await;
    assert_eq!(repeat.status, StatusCode::OK, "{}", repeat.body);
    for _ in 0..3 {
        app.sweep().await;
    }
    let agent = app.agent("a1").await;
    assert_eq!(agent.deploy_state, DeployState::Deployed);
    assert_eq!(agent.status, AgentStatus::Active);
    let made = |calls: Vec<String>| calls.iter().filter(|call| *call == "create").count();
    assert_eq!(made(cloud_run.calls()), 1);
}

#[tokio::test]
async fn another_configuration_changes_the_service_in_its_place() {
    let (app, cloud_run) = app(PATIENT).await;
    let first = app.deploy_container("a1").await;
    let data = json!({ "agentId": "a1", "config": { "systemPrompt": "You sell." } });
    let second = app.call("admin", data).await;
    let runtime = |answer: &Answer| answer.body["result"]["runtime"].clone();
    assert_eq!(runtime(&first)["service"], runtime(&second)["service"]);
    assert_ne!(runtime(&first)["revision"], runtime(&second)["revision"]);
    let services = cloud_run.services();
    assert_eq!(
        (services.len(), services[0].1["generation"].clone()),
        (1, json!("2"))
    );
    assert_eq!(app.deployed().await, 1);
}

#[tokio::test]
async fn a_container_that_does_not_start_leaves_nothing_behind() {
    let (app, cloud_run) = app(PATIENT).await;
    cloud_run.break_containers(true);
    let answer = app.deploy_container("a1").await;
    assert_eq!(answer.refusal(), (400, "FAILED_PRECONDITION"));
    let text = answer.body.to_string();
    assert!(
        text.contains("PROGRESS_DEADLINE_EXCEEDED") && !text.contains("private"),
        "{text}"
    );
    let agent = app.agent("a1").await;
    assert_eq!(agent.deploy_state, DeployState::Failed);
    assert_eq!((agent.status, agent.runtime), (AgentStatus::Paused, None));
    assert!(agent.last_error.is_some());
    assert_eq!(running(&cloud_run), Vec::<String>::new());
    assert_eq!(app.deployed().await, 0);
    let failed = app.recorded().pop().unwrap();
    assert_eq!(failed, json!(["system:deploy-agent", "failed"]));
    // It can be tried again.
    cloud_run.break_containers(false);
    let answer = app.deploy_container("a1").await;
    assert_eq!(
        answer.body["result"]["deployState"], "deployed",
        "{}",
        answer.body
    );
    assert_eq!(app.agent("a1").await.last_error, None);
}

#[tokio::test]
async fn what_is_never_ready_fails_in_the_end() {
    let (app, cloud_run) = app(2).await;
    cloud_run.set_slowness(usize::MAX);
    app.deploy_container("a1").await;
    app.clock.advance(Duration::from_secs(601));
    app.sweep().await;
    assert_eq!(app.agent("a1").await.deploy_state, DeployState::Failed);
    assert_eq!(app.deployed().await, 0);
}

#[tokio::test]
async fn a_refusal_of_cloud_run_is_final_and_not_told_on() {
    let (app, cloud_run) = app(PATIENT).await;
    cloud_run.set_failure(Some(StatusCode::FORBIDDEN));
    let answer = app.deploy_container("a1").await;
    assert_eq!(answer.refusal(), (400, "FAILED_PRECONDITION"));
    assert_eq!(app.agent("a1").await.deploy_state, DeployState::Failed);
    // The service may be there all the same, and is looked for.
    assert_eq!(
        app.service_state("a1").await,
        Some(AgentServiceState::Removing)
    );
    cloud_run.set_failure(None);
    app.clock.advance(Duration::from_secs(301));
    app.sweep().await;
    assert_eq!(
        app.service_state("a1").await,
        Some(AgentServiceState::Removed)
    );
}

#[tokio::test]
async fn a_service_of_somebody_else_is_left_alone() {
    let (app, cloud_run) = app(PATIENT).await;
    app.deploy_container("a1").await;
    let (id, mut service) = cloud_run.services().remove(0);
    service["labels"]["organization"] = json!("o2");
    cloud_run.put(&id, service.clone());
    let data = json!({ "agentId": "a1", "config": { "systemPrompt": "You sell." } });
    let answer = app.call("admin", data).await;
    assert_eq!(answer.refusal(), (400, "FAILED_PRECONDITION"));
    assert_eq!(app.agent("a1").await.deploy_state, DeployState::Failed);
    assert_eq!(cloud_run.services(), [(id, service)]);
    let calls = cloud_run.calls();
    assert!(
        !calls
            .iter()
            .any(|call| matches!(call.as_str(), "patch" | "delete"))
    );
}

#[tokio::test]
async fn registering_an_agent_removes_its_service() {
    let (app, cloud_run) = app(PATIENT).await;
    app.deploy_container("a1").await;
    let config = json!({ "runtime": "registered" });
    let data = json!({ "agentId": "a1", "config": config });
    let answer = app.call("admin", data).await;
    assert_eq!(answer.body["result"]["runtime"]["kind"], "registered");
    app.sweep().await;
    assert_eq!(running(&cloud_run), Vec::<String>::new());
    assert_eq!(app.deployed().await, 1);
}

#[tokio::test]
async fn a_deleted_agents_service_goes_and_is_looked_for_twice() {
    let (app, cloud_run) = app(PATIENT).await;
    app.deploy_container("a1").await;
    app.delete_agent("a1").await;
    app.sweep().await;
    assert_eq!(running(&cloud_run), Vec::<String>::new());
    assert_eq!(
        app.service_state("a1").await,
        Some(AgentServiceState::Removed)
    );
    let calls = cloud_run.calls().len();
    app.sweep().await;
    assert_eq!(cloud_run.calls().len(), calls);
    app.clock.advance(Duration::from_secs(600));
    app.sweep().await;
    assert_eq!(app.service_state("a1").await, None);
}

#[tokio::test]
async fn without_an_image_there_are_no_containers() {
    let app = TestApp::with_agents(SubscriptionTier::Free, 1).await;
    let answer = app.deploy_container("a1").await;
    assert_eq!(answer.refusal(), (400, "FAILED_PRECONDITION"));
    assert_eq!(app.agent("a1").await, agent("o1", "a1"));
    assert_eq!(app.deployed().await, 0);
}

#[tokio::test]
async fn a_change_during_the_deployment_is_deployed_as_well() {
    let (app, cloud_run) = app(3).await;
    cloud_run.set_slowness(3);
    app.deploy_container("a1").await;
    let data = json!({ "agentId": "a1", "config": { "systemPrompt": "You sell." } });
    app.call("admin", data).await;
    cloud_run.set_slowness(0);
    for _ in 0..3 {
        app.sweep().await;
    }
    let agent = app.agent("a1").await;
    let Some(AgentRuntime::Container { revision, .. }) = &agent.runtime else {
        panic!("{:?}", agent.runtime)
    };
    let service = &cloud_run.services()[0].1;
    let env = &service["template"]["containers"][0]["env"][3];
    assert_eq!(env, &json!({ "name": "AGENT_REVISION", "value": revision }));
    assert_eq!(cloud_run.problems(), Vec::<String>::new());
}

#[tokio::test]
async fn whoever_is_at_a_service_has_it_alone() {
    let (app, cloud_run) = app(PATIENT).await;
    let mut service = AgentService::new(
        &OrgId::parse("o1").unwrap(),
        &AgentId::parse("a1").unwrap(),
        now(),
    );
    service.due_at = Some(now().plus_seconds(100));
    let write = agent_services::create(&service).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    let answer = app.deploy_container("a1").await;
    assert_eq!(answer.body["result"]["deployState"], "provisioning");
    assert_eq!(cloud_run.calls(), Vec::<String>::new());
    app.clock.advance(Duration::from_secs(101));
    app.sweep().await;
    assert_eq!(app.agent("a1").await.deploy_state, DeployState::Deployed);
}
