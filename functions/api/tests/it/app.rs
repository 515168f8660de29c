use std::sync::Arc;

use api::{AppState, Config, router};
use axum::{
    Router,
    body::{Body, Bytes},
    response::Response,
};
use http::{
    HeaderMap, Method, Request, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
    request::Builder,
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use shared::{
    auth::Claims,
    config::Env,
    connectors::{Connector, Connectors, google::oauth::GoogleOAuth},
    crypto::{Envelope, LocalKeys},
    ids::{OrgId, Uid},
    llm::{Providers, SharedOrgKeys, SharedProvider, providers::Speakers},
    models::{AuditAction, AuditLog, IntegrationService, Role, SubscriptionTier, Trigger, User},
    quota::{MeteredLlm, Routing},
    store::Store,
    testing::{
        FakeGoogle, FakeService, FakeStripe, FixedClock, MemoryBucket, MemoryDb, RecordingAccounts,
        RecordingTopic, ScriptedLlm, ScriptedSpeaker, TestVerifier, claims, memory_store,
        provider_of_all,
    },
    vault::Vault,
};
use tower::ServiceExt;

use crate::seeds;

pub(crate) const NOW: &str = "2026-11-23T12:00:00Z";
pub(crate) const ORIGIN: &str = "https://app.example.com";

/// The API with organization `o1` on the free tier and `o2` on pro. Tokens are the uids:
/// `admin`, `user` and `viewer` in `o1`, `stranger` in `o2`.
pub(crate) struct TestApp {
    router: Router,
    pub(crate) state: AppState,
    pub(crate) store: Store,
    pub(crate) db: Arc<MemoryDb>,
    pub(crate) clock: FixedClock,
    pub(crate) verifier: Arc<TestVerifier>,
    pub(crate) accounts: Arc<RecordingAccounts>,
    pub(crate) bucket: Arc<MemoryBucket>,
    pub(crate) service: Arc<FakeService>,
    pub(crate) speaker: Arc<ScriptedSpeaker>,
    pub(crate) topic: Arc<RecordingTopic>,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The body as it came.
    pub(crate) bytes: Bytes,
    pub(crate) body: Value,
}

impl TestApp {
    pub(crate) async fn new() -> Self {
        Self::with_env([]).await
    }

    pub(crate) async fn with_env<const N: usize>(variables: [(&str, &str); N]) -> Self {
        let (store, db) = memory_store();
        let llm: SharedProvider = Arc::new(ScriptedLlm::answering("Hello"));
        let providers = provider_of_all(&llm);
        Self::with_env_on(store, db, variables, None, Some(providers)).await
    }

    /// The API whose calls of models this provider answers.
    pub(crate) async fn with_llm(llm: SharedProvider) -> Self {
        Self::with_providers(provider_of_all(&llm)).await
    }

    /// The API whose calls of models go to these providers.
    pub(crate) async fn with_providers(providers: Providers) -> Self {
        let (store, db) = memory_store();
        Self::with_env_on(store, db, [], None, Some(providers)).await
    }

    /// The API without any provider of models.
    pub(crate) async fn without_llm() -> Self {
        let (store, db) = memory_store();
        Self::with_env_on(store, db, [], None, None).await
    }

    /// The API of an application that Google knows.
    pub(crate) async fn with_google() -> (Self, FakeGoogle) {
        let google = FakeGoogle::start(Arc::default()).await;
        let (store, db) = memory_store();
        let app = Self::with_env_on(store, db, [], Some(&google), None).await;
        (app, google)
    }

    /// The API on `store`, which ends in `db`.
    pub(crate) async fn on(store: Store, db: Arc<MemoryDb>) -> Self {
        Self::with_env_on(store, db, [], None, None).await
    }

    async fn with_env_on<const N: usize>(
        store: Store,
        db: Arc<MemoryDb>,
        variables: [(&str, &str); N],
        google: Option<&FakeGoogle>,
        providers: Option<Providers>,
    ) -> Self {
        let verifier = Arc::new(TestVerifier::new());
        let clock = FixedClock::at(NOW);
        let fixed = [
            ("GOOGLE_CLOUD_PROJECT", "demo"),
            ("CORS_ORIGINS", ORIGIN),
            ("APP_URL", ORIGIN),
            ("LOCAL_MAC_KEY", "test"),
        ];
        let env = Env::from_pairs(variables.into_iter().chain(fixed));
        let config = Config::from_env(&env).unwrap();
        for uid in ["admin", "user", "viewer", "stranger"] {
            let claims = Claims {
                auth_time: seeds::now(),
                ..claims(&Uid::parse(uid).unwrap())
            };
            verifier.accept(uid, claims);
        }
        let accounts = Arc::new(RecordingAccounts::new());
        let state = AppState::with_ports(
            config,
            store.clone(),
            verifier.clone(),
            accounts.clone(),
            clock.shared(),
        );
        let bucket = Arc::new(MemoryBucket::new());
        let service = google.map(FakeGoogle::service).unwrap_or_default();
        let oauth = google.map(|google| google.oauth(clock.shared()));
        let vault = vault(&store, &service, oauth, &clock);
        let keys: SharedOrgKeys = Arc::new(vault.clone());
        let routed = |providers| {
            let routing = Routing::new(providers).with_keys(Some(keys));
            MeteredLlm::routed(routing, store.clone(), clock.shared())
        };
        let llm = providers.map(routed);
        let state = state.with_artifacts(Some(bucket.clone())).with_llm(llm);
        let speaker = Arc::new(ScriptedSpeaker::new());
        let state = state.with_vault(Some(vault));
        let topic = Arc::new(RecordingTopic::new());
        let state = state.with_speakers(speaker.everywhere());
        let state = state.with_sync_topic(Some(topic.shared()));
        let app = Self {
            router: router(state.clone()),
            state,
            store,
            db,
            clock,
            verifier,
            accounts,
            bucket,
            service,
            speaker,
            topic,
        };
        app.seed().await;
        app
    }

    /// The same application with others who speak.
    pub(crate) fn replace_speakers(&mut self, speakers: Speakers) {
        self.state = self.state.clone().with_speakers(speakers);
        self.router = router(self.state.clone());
    }

    /// The same application with an account at Stripe.
    pub(crate) fn connect_stripe(&mut self, stripe: &FakeStripe) {
        self.state = self.state.clone().with_stripe(Some(stripe.client()));
        self.router = router(self.state.clone());
    }

    async fn seed(&self) {
        let writes = vec![
            seeds::organization("o1", SubscriptionTier::Free),
            seeds::organization("o2", SubscriptionTier::Pro),
            seeds::user("admin", "o1", Role::Admin),
            seeds::user("user", "o1", Role::User),
            seeds::user("viewer", "o1", Role::Viewer),
            seeds::user("stranger", "o2", Role::Admin),
        ];
        self.store.commit(writes).await.unwrap();
    }

    /// An answer whose body is still to be read.
    pub(crate) async fn open(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.open(request).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            bytes,
        }
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Answer {
        self.send(empty(request(Method::GET, path, token))).await
    }

    pub(crate) async fn delete(&self, token: &str, path: &str) -> Answer {
        self.send(empty(request(Method::DELETE, path, token))).await
    }

    pub(crate) async fn post(&self, token: &str, path: &str, body: &Value) -> Answer {
        self.send(json_body(request(Method::POST, path, token), body))
            .await
    }

    pub(crate) async fn patch(&self, token: &str, path: &str, body: &Value) -> Answer {
        self.send(json_body(request(Method::PATCH, path, token), body))
            .await
    }

    pub(crate) async fn put(&self, token: &str, path: &str, body: &Value) -> Answer {
        self.send(json_body(request(Method::PUT, path, token), body))
            .await
    }

    /// A POST with an idempotency key.
    pub(crate) async fn post_once(&self, key: &str, path: &str, body: &Value) -> Answer {
        let request = request(Method::POST, path, "admin").header("Idempotency-Key", key);
        self.send(json_body(request, body)).await
    }

    /// One more user, whose token is the uid as well.
    pub(crate) async fn add_user(&self, uid: &str, org_id: &str, role: Role) {
        let write = seeds::user(uid, org_id, role);
        self.store.commit(vec![write]).await.unwrap();
        self.verifier.accept(uid, claims(&Uid::parse(uid).unwrap()));
    }

    /// What starts the execution of `o1` that was asked for.
    pub(crate) async fn trigger_of(&self, answer: &Answer) -> Trigger {
        assert_eq!(answer.status, 202, "{}", answer.body);
        let id = answer.body["executionId"].as_str().unwrap();
        let (org_id, id) = (OrgId::parse("o1").unwrap(), id.parse().unwrap());
        let trigger = self.store.find_trigger(&org_id, &id).await;
        trigger.unwrap().unwrap()
    }

    /// A user's document.
    pub(crate) async fn user(&self, uid: &str) -> User {
        let uid = Uid::parse(uid).unwrap();
        self.store.find_user(&uid).await.unwrap().unwrap().value
    }

    /// How many admins that can act and how many members the counter of `org_id` tells.
    pub(crate) async fn counted(&self, org_id: &OrgId) -> (i64, i64) {
        let count = self.store.find_member_count(org_id).await.unwrap();
        let count = count.unwrap().value;
        (count.admins, count.members)
    }

    /// What is on record in an organization, oldest first.
    pub(crate) fn records(&self, org_id: &OrgId) -> Vec<AuditLog> {
        let records = self.db.documents("audit_logs/");
        let record = |document| -> AuditLog { shared::store::decode(document).unwrap() };
        let mut records: Vec<AuditLog> = records.iter().map(record).collect();
        records.retain(|record| record.org_id == *org_id);
        records.sort_by_key(|record| record.seq);
        records
    }

    /// The same as action, actor and subject.
    pub(crate) fn deeds(&self, org_id: &OrgId) -> Vec<(AuditAction, String, Option<String>)> {
        let records = self.records(org_id).into_iter();
        records
            .map(|record| (record.action, record.actor_id, record.subject_id))
            .collect()
    }

    /// Actions on record, oldest first.
    pub(crate) fn audited(&self) -> Vec<String> {
        let records = self.db.documents("audit_logs/");
        let record = |document| -> Value { shared::store::decode(document).unwrap() };
        let mut records: Vec<Value> = records.iter().map(record).collect();
        records.sort_by_key(|record| record["seq"].as_i64());
        let action = |record: &Value| record["action"].as_str().unwrap().to_owned();
        records.iter().map(action).collect()
    }
}

impl Answer {
    /// Status and code of an error, whose envelope is checked.
    #[track_caller]
    pub(crate) fn refusal(&self) -> (u16, &str) {
        assert_eq!(self.headers[CONTENT_TYPE], "application/json");
        let error = self.body["error"].as_object().unwrap();
        assert_eq!(self.body.as_object().map(|body| body.len()), Some(1));
        assert_eq!(error.len(), 3, "{error:?}");
        assert!(error["message"].is_string() && error["details"].is_object());
        (self.status.as_u16(), error["code"].as_str().unwrap())
    }

    /// Fields that an error names.
    pub(crate) fn fields(&self) -> Vec<&str> {
        let fields = self.body["error"]["details"]["fields"].as_array();
        let fields = fields.into_iter().flatten();
        fields.filter_map(|field| field["field"].as_str()).collect()
    }
}

/// A vault whose services are all the same one.
fn vault(
    store: &Store,
    service: &Arc<FakeService>,
    google: Option<GoogleOAuth>,
    clock: &FixedClock,
) -> Vault {
    use IntegrationService::{Github, Google, Openai, Stripe, Twilio};
    let key = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/credentials-key.json"
    );
    let envelope = Envelope::new(Arc::new(LocalKeys::new(key)), clock.shared());
    let adapter = |name| (name, Arc::clone(service) as Arc<dyn Connector>);
    let adapters = [Github, Google, Openai, Stripe, Twilio].map(adapter);
    let connectors = Connectors::new(adapters.into());
    Vault::new(store.clone(), envelope, connectors, google, clock.shared())
}

/// Begins after others have had so many turns: [`MemoryDb`] gives one up with each call, so that a
/// race can be run with every distance between its sides.
pub(crate) async fn after_turns<T>(turns: usize, future: impl Future<Output = T>) -> T {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
    future.await
}

/// How many turns each side of a race waits.
pub(crate) fn distances() -> impl Iterator<Item = (usize, usize)> {
    (0..20).flat_map(|turns| [(turns, 0), (0, turns)])
}

pub(crate) fn request(method: Method, path: &str, token: &str) -> Builder {
    Request::builder()
        .method(method)
        .uri(format!("/api/v1{path}"))
        .header(AUTHORIZATION, format!("Bearer {token}"))
}

pub(crate) fn empty(request: Builder) -> Request<Body> {
    request.body(Body::empty()).unwrap()
}

pub(crate) fn json_body(request: Builder, body: &Value) -> Request<Body> {
    let request = request.header(CONTENT_TYPE, "application/json");
    request.body(Body::from(body.to_string())).unwrap()
}

pub(crate) fn agent_request() -> Value {
    json!({
        "name": "Ada",
        "industry": "tech",
        "personality": { "empathy": 0.8, "confidence": 0.7, "style": "brief" },
        "voiceConfig": { "model": "alloy", "speed": 1, "pitch": 0 },
        "systemPrompt": "You sort support mail.",
    })
}

pub(crate) fn workflow_request() -> Value {
    json!({
        "name": "Triage",
        "nodes": seeds::nodes(),
        "edges": seeds::edges(),
        "triggers": [{ "type": "manual" }],
        "active": true,
    })
}
