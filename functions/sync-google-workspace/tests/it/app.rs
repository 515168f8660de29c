use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use shared::{
    crypto::LocalMac,
    http::ServiceCallers,
    ids::{OrgId, Uid},
    models::{
        Integration, IntegrationService, IntegrationStatus, Organization, Role, SubscriptionTier,
        Timestamp, User, UserSettings,
    },
    store::{Store, integrations, organizations, users},
    testing::{FixedClock, MemoryDb, RecordingTopic, ScriptedLlm, integration, metered_llm},
    topic::Message,
    vault::{NoVault, Workspace},
};
use sync_google_workspace::{AppState, MailPush, Ports, Settings, router};
use tower::ServiceExt;

pub(crate) const NOW: &str = "2026-11-26T12:00:00Z";
pub(crate) const MAIL_TOPIC: &str = "projects/p/topics/gmail";

/// The function on fakes.
pub(crate) struct TestApp {
    pub(crate) router: Router,
    pub(crate) store: Store,
    pub(crate) db: Arc<MemoryDb>,
    pub(crate) clock: FixedClock,
    pub(crate) topic: Arc<RecordingTopic>,
    pub(crate) llm: Arc<ScriptedLlm>,
}

/// What differs between tests.
pub(crate) struct Options {
    pub(crate) callers: ServiceCallers,
    pub(crate) settings: Settings,
    pub(crate) is_watching: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            callers: ServiceCallers::unchecked(),
            settings: Settings::default(),
            is_watching: false,
        }
    }
}

impl TestApp {
    pub(crate) fn new() -> Self {
        Self::with(Options::default())
    }

    pub(crate) fn with(options: Options) -> Self {
        let (db, clock) = (Arc::new(MemoryDb::new()), FixedClock::at(NOW));
        Self::on(db, clock, Arc::new(NoVault), options)
    }

    pub(crate) fn on(
        db: Arc<MemoryDb>,
        clock: FixedClock,
        workspace: Arc<dyn Workspace>,
        options: Options,
    ) -> Self {
        let topic = Arc::new(RecordingTopic::new());
        let llm = Arc::new(ScriptedLlm::answering("").embedding());
        let store = db.store();
        let ports = Ports {
            workspace,
            llm: metered_llm(llm.clone(), store.clone(), clock.shared()),
            topic: Some(topic.shared()),
            mail_push: options.is_watching.then(|| MailPush {
                topic: MAIL_TOPIC.to_owned(),
                key: Arc::new(LocalMac::new("key".into())),
            }),
        };
        let Options {
            callers, settings, ..
        } = options;
        let state = AppState::with_ports(store.clone(), ports, settings, clock.shared(), callers);
        Self {
            router: router(state),
            store,
            db,
            clock,
            topic,
            llm,
        }
    }

    pub(crate) async fn add_organization(&self, id: &str, tier: SubscriptionTier) {
        let created_at: Timestamp = NOW.parse::<jiff::Timestamp>().unwrap().into();
        let id = OrgId::parse(id).unwrap();
        let organization = Organization {
            subscription_tier: tier,
            ..Organization::new(id, "Ada".to_owned(), created_at)
        };
        let owner = User {
            uid: owner_of(organization.id.as_str()),
            email: None,
            role: Role::User,
            organization_id: organization.id.clone(),
            created_at,
            settings: UserSettings::new(),
            disabled: false,
            tokens_valid_after: None,
        };
        let writes = vec![
            organizations::create(&organization).unwrap(),
            users::create(&owner).unwrap(),
        ];
        self.store.commit(writes).await.unwrap();
    }

    pub(crate) async fn add(&self, id: &str, org_id: &str, service: IntegrationService) {
        self.add_with(id, org_id, service, IntegrationStatus::Connected)
            .await;
    }

    pub(crate) async fn add_with(
        &self,
        id: &str,
        org_id: &str,
        service: IntegrationService,
        status: IntegrationStatus,
    ) {
        let integration = Integration {
            org_id: OrgId::parse(org_id).unwrap(),
            status,
            ..integration(id, owner_of(org_id).as_str(), service)
        };
        self.store
            .commit(integrations::create(&integration).unwrap().into())
            .await
            .unwrap();
    }

    pub(crate) async fn post(&self, body: impl Into<Body>) -> (StatusCode, Value) {
        let request = Request::post("/").header("content-type", "application/json");
        let request = request.body(body.into()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (
            status,
            serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        )
    }

    pub(crate) async fn push(&self, push: &Value) -> u16 {
        self.post(push.to_string()).await.0.as_u16()
    }

    /// Delivers what was published.
    pub(crate) async fn deliver(&self, message: &Message) -> u16 {
        let data = String::from_utf8(message.data.clone()).unwrap();
        self.push(&push("m1", json!(message.attributes), &data))
            .await
    }
}

/// Who has connected the accounts of an organization: of `o1` it is `u1`.
pub(crate) fn owner_of(org_id: &str) -> Uid {
    Uid::parse(org_id.replacen('o', "u", 1)).unwrap()
}

pub(crate) fn push(id: &str, attributes: Value, data: &str) -> Value {
    json!({
        "subscription": "projects/p/subscriptions/workspace-sync",
        "message": {
            "messageId": id,
            "publishTime": "2026-11-23T11:59:59Z",
            "attributes": attributes,
            "data": STANDARD.encode(data),
        },
    })
}

pub(crate) fn tick(id: &str) -> Value {
    push(id, json!({ "kind": "tick" }), "{}")
}

pub(crate) fn due(id: &str, org_id: &str, integration_id: &str) -> Value {
    let data = json!({ "integrationId": integration_id, "orgId": org_id }).to_string();
    push(id, json!({ "kind": "integration" }), &data)
}

impl TestApp {
    pub(crate) fn clock_now(&self) -> Timestamp {
        use shared::clock::Clock;
        self.clock.now().into()
    }
}
