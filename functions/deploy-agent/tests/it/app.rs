use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
};
use deploy_agent::{
    AppState,
    orchestrator::{CloudRun, CloudRunConfig},
    router,
};
use http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use shared::{
    http::client,
    ids::{AgentId, OrgId, Uid},
    models::{Agent, AgentQuota, Limits, Organization, Role, SubscriptionTier, User},
    retry::Policy,
    store::{Store, agents, organizations, users},
    testing::{
        self, FakeCloudRun, FixedClock, MemoryDb, TestVerifier, claims, memory_store, trail,
    },
};
use tower::ServiceExt;

pub(crate) const NOW: &str = "2026-11-23T12:00:00Z";
pub(crate) const ORIGIN: &str = "https://app.example.com";
pub(crate) struct TestApp {
    pub(crate) router: Router,
    pub(crate) store: Store,
    pub(crate) db: Arc<MemoryDb>,
    pub(crate) verifier: Arc<TestVerifier>,
    pub(crate) clock: FixedClock,
    pub(crate) state: AppState,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl TestApp {
    pub(crate) fn new() -> Self {
        Self::with_origins(&[ORIGIN])
    }

    pub(crate) fn with_origins(origins: &[&str]) -> Self {
        let (store, db) = memory_store();
        let verifier = Arc::new(TestVerifier::new());
        let clock = FixedClock::at(NOW);
        let origins = origins.iter().map(|origin| origin.parse().unwrap());
        let origins = origins.collect();
        let state = AppState::with_ports(
            store.clone(),
            trail(&store),
            verifier.clone(),
            clock.shared(),
            origins,
        );
        Self {
            router: router(state.clone()),
            store,
            db,
            verifier,
            clock,
            state,
        }
    }

    /// The same with a Cloud Run, which each request looks at `looks` times.
    pub(crate) async fn with_containers(self, looks: u32) -> (Self, FakeCloudRun) {
        let cloud_run = FakeCloudRun::start().await;
        let config = CloudRunConfig {
            project_id: "demo".to_owned(),
            region: "europe-west1".to_owned(),
            image: "image@sha256:00ff".to_owned(),
            service_account: "agent-{agent}@demo.iam.gserviceaccount.com".to_owned(),
            max_instances: 3,
            emulator_host: Some(cloud_run.host().to_owned()),
        };
        let containers = Arc::new(CloudRun::new(config, client().unwrap()));
        let budget = Duration::from_secs(60);
        let patience = Policy::new(looks, Duration::ZERO, Duration::ZERO, budget).unwrap();
        let state = self.state.clone().with_containers(containers, patience);
        let router = router(state.clone());
        let app = Self {
            router,
            state,
            ..self
        };
        (app, cloud_run)
    }

    /// An organization `o1` with an admin whose token is `admin`, and agents `a1`, `a2` ….
    pub(crate) async fn with_agents(tier: SubscriptionTier, count: usize) -> Self {
        let app = Self::new();
        app.add_user("o1", "admin", Role::Admin).await;
        let organization = organization("o1", tier);
        let mut writes = vec![organizations::create(&organization).unwrap()];
        for number in 1..=count {
            writes.push(agents::create(&agent("o1", &format!("a{number}"))).unwrap());
        }
        let created = i64::try_from(count).unwrap();
        let quota = AgentQuota {
            created,
            ..AgentQuota::default()
        };
        writes.push(organizations::set_agent_quota(&organization.id, &quota, None).unwrap());
        app.store.commit(writes).await.unwrap();
        app
    }

    /// A user whose uid and token are `name`.
    pub(crate) async fn add_user(&self, org_id: &str, name: &str, role: Role) {
        let uid = Uid::parse(name).unwrap();
        self.verifier.accept(name, claims(&uid));
        let user = User {
            uid,
            email: None,
            role,
            organization_id: OrgId::parse(org_id).unwrap(),
            created_at: now(),
            settings: Default::default(),
            disabled: false,
            tokens_valid_after: None,
        };
        self.store
            .commit(vec![users::create(&user).unwrap()])
            .await
            .unwrap();
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    pub(crate) async fn call(&self, token: &str, data: Value) -> Answer {
        self.send(request("/", token, &json!({ "data": data }).to_string()))
            .await
    }

    pub(crate) async fn deploy(&self, id: &str) -> Answer {
        self.call("admin", json!({ "agentId": id })).await
    }

    /// A tick of the sweeper.
    pub(crate) async fn sweep(&self) {
        let tick = Request::post("/sweep").body(Body::empty()).unwrap();
        let answer = self.send(tick).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }

    pub(crate) async fn agent(&self, id: &str) -> Agent {
        let (org_id, id) = (OrgId::parse("o1").unwrap(), AgentId::parse(id).unwrap());
        self.store
            .find_agent(&org_id, &id)
            .await
            .unwrap()
            .unwrap()
            .value
    }

    pub(crate) async fn deployed(&self) -> i64 {
        self.quota().await.deployed
    }

    pub(crate) async fn quota(&self) -> AgentQuota {
        let org_id = OrgId::parse("o1").unwrap();
        let quota = self.store.find_agent_quota(&org_id).await.unwrap();
        quota.unwrap().value
    }

    /// Has the agent be suspended, one of so many that are deployed.
    pub(crate) async fn suspend(&self, id: &str, deployed: i64) {
        let org_id = OrgId::parse("o1").unwrap();
        let id = id.parse().unwrap();
        let mut agent = self.store.find_agent(&org_id, &id).await.unwrap().unwrap();
        agent.value.suspend(agent.value.created_at);
        let quota = self.store.find_agent_quota(&org_id).await.unwrap().unwrap();
        let counted = AgentQuota {
            deployed,
            suspended: 1,
            ..quota.value
        };
        let writes = vec![
            agents::replace(&agent).unwrap(),
            organizations::set_agent_quota(&org_id, &counted, Some(quota.version)).unwrap(),
        ];
        self.store.commit(writes).await.unwrap();
    }

    pub(crate) fn audits(&self) -> usize {
        self.db.count("audit_logs")
    }
}

impl Answer {
    /// HTTP status and the status of the callable protocol.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        let error = &self.body["error"];
        assert!(
            error["message"].is_string() && error["details"].is_object(),
            "{}",
            self.body
        );
        let status = error["status"].as_str().unwrap();
        assert_eq!(error["code"], status.to_lowercase());
        (self.status.as_u16(), status)
    }
}

pub(crate) fn request(path: &str, token: &str, body: &str) -> Request<Body> {
    Request::post(path)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap()
}

pub(crate) fn now() -> shared::models::Timestamp {
    NOW.parse::<jiff::Timestamp>().unwrap().into()
}

pub(crate) fn organization(id: &str, tier: SubscriptionTier) -> Organization {
    Organization {
        id: OrgId::parse(id).unwrap(),
        name: "Ada".to_owned(),
        subscription_tier: tier,
        former_tiers: Vec::new(),
        plan_asked_at: None,
        plan_asked_since: None,
        stripe_customer_id: None,
        stripe_customer_attempts: 0,
        api_usage: 0,
        limits: Limits::default(),
        created_at: now(),
    }
}

pub(crate) fn agent(org_id: &str, id: &str) -> Agent {
    let org_id = OrgId::parse(org_id).unwrap();
    let mut agent = testing::agent(org_id, id, now());
    agent.personality.style = "brief".to_owned();
    agent.system_prompt = "You help.".to_owned();
    agent.model = "default".to_owned();
    agent
}
