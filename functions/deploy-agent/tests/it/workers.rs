//! What comes between a worker's look at a service and its commit.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use deploy_agent::{
    orchestrator::{Error, Orchestrator, Progress, Registered, Remains},
    router,
};
use serde_json::json;
use shared::{
    clock::Clock,
    ids::{AgentId, OrgId},
    models::{
        Agent, AgentRuntime, AgentService, AgentServiceState, DeployState, SubscriptionTier,
        Timestamp,
    },
    retry::Policy,
    store::{Store, agent_services, agents},
    testing::FixedClock,
};

use crate::app::{TestApp, now};

/// What happens while somebody looks for the first time.
enum Incident {
    /// The agent is changed past the callable.
    Change,
    /// The worker's time is over and another one takes the work.
    Takeover(FixedClock),
}

/// Everything is ready at once, or has failed.
struct Eventful {
    store: Store,
    incident: Incident,
    is_over: AtomicBool,
}

impl Eventful {
    async fn change(&self) {
        let (org_id, id) = ids();
        let mut agent = self.store.find_agent(&org_id, &id).await.unwrap().unwrap();
        agent.value.name = "Grace".to_owned();
        let write = agents::replace(&agent).unwrap();
        self.store.commit(vec![write]).await.unwrap();
    }

    async fn take_over(&self, clock: &FixedClock) {
        clock.advance(Duration::from_secs(121));
        let (org_id, id) = ids();
        let service = self.store.find_agent_service(&org_id, &id).await.unwrap();
        let mut service = service.unwrap();
        let now: Timestamp = clock.now().into();
        assert!(service.value.is_due(now));
        service.value.due_at = Some(now.plus_seconds(60));
        let write = agent_services::replace(&service).unwrap();
        self.store.commit(vec![write]).await.unwrap();
    }
}

#[async_trait]
impl Orchestrator for Eventful {
    fn register(&self, _agent: &Agent, _now: Timestamp) -> Option<AgentRuntime> {
        None
    }

    async fn ensure(&self, agent: &Agent, now: Timestamp) -> Result<Progress, Error> {
        if self.is_over.swap(true, Ordering::SeqCst) {
            return Registered.ensure(agent, now).await;
        }
        match &self.incident {
            Incident::Change => {
                self.change().await;
                Registered.ensure(agent, now).await
            }
            Incident::Takeover(clock) => {
                self.take_over(clock).await;
                Ok(Progress::Failed("too late".to_owned()))
            }
        }
    }

    async fn remains(&self, _org_id: &OrgId, _id: &AgentId) -> Result<Remains, Error> {
        Ok(Remains::Nothing)
    }

    async fn remove(&self, _id: &AgentId, _etag: &str) -> Result<(), Error> {
        Ok(())
    }
}

fn ids() -> (OrgId, AgentId) {
    (OrgId::parse("o1").unwrap(), AgentId::parse("a1").unwrap())
}

async fn app(incident: impl Fn(&TestApp) -> Incident) -> TestApp {
    let app = TestApp::with_agents(SubscriptionTier::Free, 1).await;
    let containers = Arc::new(Eventful {
        store: app.store.clone(),
        incident: incident(&app),
        is_over: AtomicBool::new(false),
    });
    let budget = Duration::from_secs(60);
    let patience = Policy::new(5, Duration::ZERO, Duration::ZERO, budget).unwrap();
    let state = app.state.clone().with_containers(containers, patience);
    TestApp {
        router: router(state),
        ..app
    }
}

#[tokio::test]
async fn a_change_after_the_last_look_is_deployed_as_well() {
    let app = app(|_| Incident::Change).await;
    let answer = app.deploy_container("a1").await;
    assert_eq!(answer.body["result"]["deployState"], "deployed");
    let agent = app.agent("a1").await;
    assert_eq!(agent.name, "Grace");
    let expected = Registered.register(&agent, now()).unwrap();
    assert_eq!(agent.runtime, Some(expected));
}

#[tokio::test]
async fn a_worker_whose_time_is_over_decides_nothing_any_more() {
    let app = app(|app| Incident::Takeover(app.clock.clone())).await;
    let answer = app.deploy_container("a1").await;
    let result = &answer.body["result"];
    assert_eq!(result["deployState"], "provisioning", "{}", answer.body);
    let state = app.service_state("a1").await;
    assert_eq!(state, Some(AgentServiceState::Provisioning));
    assert_eq!(app.deployed().await, 1);
    app.clock.advance(Duration::from_secs(61));
    app.sweep().await;
    let agent = app.agent("a1").await;
    assert_eq!(agent.deploy_state, DeployState::Deployed);
    assert_eq!(json!(agent.status), "active");
}

/// A service that is there, and that somebody wants again as soon as it was looked at.
struct Wanted {
    store: Store,
    removals: AtomicUsize,
}

#[async_trait]
impl Orchestrator for Wanted {
    fn register(&self, _agent: &Agent, _now: Timestamp) -> Option<AgentRuntime> {
        None
    }

    async fn ensure(&self, agent: &Agent, now: Timestamp) -> Result<Progress, Error> {
        Registered.ensure(agent, now).await
    }

    async fn remains(&self, org_id: &OrgId, id: &AgentId) -> Result<Remains, Error> {
        let found = self.store.find_agent_service(org_id, id).await.unwrap();
        let mut service = found.unwrap();
        service.value.provision(true, now());
        let write = agent_services::replace(&service).unwrap();
        self.store.commit(vec![write]).await.unwrap();
        let etag = "1".to_owned();
        Ok(Remains::Service { etag })
    }

    async fn remove(&self, _id: &AgentId, _etag: &str) -> Result<(), Error> {
        self.removals.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[tokio::test]
async fn a_service_that_is_wanted_again_is_not_removed() {
    let app = TestApp::with_agents(SubscriptionTier::Free, 1).await;
    let (org_id, id) = ids();
    let mut service = AgentService::new(&org_id, &id, now());
    service.remove(now());
    let write = agent_services::create(&service).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    let containers = Arc::new(Wanted {
        store: app.store.clone(),
        removals: AtomicUsize::new(0),
    });
    let state = app.state.clone();
    let state = state.with_containers(containers.clone(), Policy::NEVER);
    let app = TestApp {
        router: router(state),
        ..app
    };
    app.sweep().await;
    assert_eq!(containers.removals.load(Ordering::SeqCst), 0);
    let state = app.service_state("a1").await;
    assert_eq!(state, Some(AgentServiceState::Provisioning));
}
