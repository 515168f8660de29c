use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};

use serde_json::{Value, json};
use shared::{
    actions,
    connectors::{Account, Connector, Connectors, Credentials, GoogleTokens},
    crypto::{Envelope, LocalKeys},
    ids::{IntegrationId, OrgId, Uid},
    models::{Integration, IntegrationService, OutboxRow, Timestamp},
    store::{Store, Write},
    testing::{FakeGoogle, FakeService, FixedClock, MemoryDb},
    vault::{Call, Connecting, Error, Vault},
};

pub(super) const NOW: &str = "2026-11-26T12:00:00Z";
pub(super) const SEARCH: &str = "google.gmail.search";
pub(super) const REFRESH_TOKEN: &str = "refresh-1";

const GMAIL_READ: &str = "https://www.googleapis.com/auth/gmail.readonly";

/// Three processes on one database, with organization `o1`.
pub(super) struct World {
    pub(super) db: Arc<MemoryDb>,
    pub(super) store: Store,
    pub(super) clock: FixedClock,
    pub(super) service: Arc<FakeService>,
    pub(super) google: FakeGoogle,
    pub(super) vaults: [Vault; 3],
}

pub(super) fn org_id() -> OrgId {
    OrgId::parse("o1").unwrap()
}

pub(super) fn owner() -> Uid {
    Uid::parse("u1").unwrap()
}

pub(super) fn account() -> Account {
    Account {
        id: Some("sub-1".to_owned()),
        label: "a…@example.com".to_owned(),
        scopes: vec![GMAIL_READ.to_owned()],
    }
}

impl World {
    pub(super) async fn new() -> Self {
        let db = Arc::new(MemoryDb::new());
        let clock = FixedClock::at(NOW);
        let service = Arc::new(FakeService::new());
        let google = FakeGoogle::start(service.clone()).await;
        let vaults = [(); 3].map(|()| vault(&db, &clock, &service, &google));
        Self {
            store: db.store(),
            db,
            clock,
            service,
            google,
            vaults,
        }
    }

    /// The same with a Google account whose access token ends in so many seconds.
    pub(super) async fn with_google(seconds: i64) -> (Self, IntegrationId) {
        let world = Self::new().await;
        world.google.grant(REFRESH_TOKEN, &account());
        world.service.accept("access-0", &account());
        let tokens = world.tokens("access-0", seconds);
        let id = world
            .connect(IntegrationService::Google, &account(), &tokens)
            .await;
        (world, id)
    }

    pub(super) fn tokens(&self, access_token: &str, seconds: i64) -> Credentials {
        Credentials::Google(GoogleTokens {
            access_token: access_token.into(),
            expires_at: self.now().plus_seconds(seconds),
            refresh_token: REFRESH_TOKEN.into(),
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        NOW.parse::<jiff::Timestamp>().unwrap().into()
    }

    pub(super) async fn connect(
        &self,
        service: IntegrationService,
        account: &Account,
        credentials: &Credentials,
    ) -> IntegrationId {
        let (org_id, uid) = (org_id(), owner());
        let connecting = connecting(&org_id, &uid, service);
        let [vault, ..] = &self.vaults;
        let connection = vault.seal_for(&connecting, account, credentials).await;
        let connection = connection.unwrap();
        let (writes, _) = vault.keep_connection(&connection).await.unwrap();
        self.keep(writes).await;
        connection.id().clone()
    }

    pub(super) async fn keep(&self, writes: Vec<Write>) {
        self.store.commit(writes).await.unwrap();
    }

    pub(super) async fn search(&self, vault: usize) -> Result<Value, Error> {
        perform(&self.vaults[vault], SEARCH, None).await
    }

    pub(super) async fn integration(&self, id: &IntegrationId) -> Integration {
        let found = self.store.find_integration(&org_id(), id).await.unwrap();
        found.unwrap().value
    }

    /// Access tokens and keys that calls were carried out with, oldest first.
    pub(super) fn used(&self) -> Vec<String> {
        let performed = self.service.performed().into_iter();
        performed.map(|call| call.secret).collect()
    }

    pub(super) fn mails(&self) -> Vec<OutboxRow> {
        let rows = self.db.documents("outbox/");
        rows.iter()
            .map(|row| shared::store::decode(row).unwrap())
            .collect()
    }

    pub(super) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

pub(super) fn connecting<'a>(
    org_id: &'a OrgId,
    uid: &'a Uid,
    service: IntegrationService,
) -> Connecting<'a> {
    Connecting {
        org_id,
        uid,
        service,
    }
}

pub(super) async fn perform(
    vault: &Vault,
    action: &str,
    integration_id: Option<&IntegrationId>,
) -> Result<Value, Error> {
    let at_most_once = false;
    perform_as(vault, action, integration_id, at_most_once).await
}

pub(super) async fn perform_as(
    vault: &Vault,
    action: &str,
    integration_id: Option<&IntegrationId>,
    at_most_once: bool,
) -> Result<Value, Error> {
    let (org_id, input) = (org_id(), json!({ "query": "x" }));
    let call = Call {
        org_id: &org_id,
        integration_id,
        action: actions::find(action).unwrap(),
        input: &input,
        idempotency_key: "k1",
        at_most_once,
    };
    vault.perform(&call).await
}

fn vault(
    db: &Arc<MemoryDb>,
    clock: &FixedClock,
    service: &Arc<FakeService>,
    google: &FakeGoogle,
) -> Vault {
    use IntegrationService::{Github, Google, Sendgrid, Stripe};
    let key = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/credentials-key.json");
    let envelope = Envelope::new(Arc::new(LocalKeys::new(key)), clock.shared());
    let services = [Google, Github, Sendgrid, Stripe];
    let adapter = || Arc::clone(service) as Arc<dyn Connector>;
    let adapters: HashMap<_, _> = services.map(|service| (service, adapter())).into();
    let oauth = google.oauth(clock.shared());
    let connectors = Connectors::new(adapters);
    Vault::new(
        db.store(),
        envelope,
        connectors,
        Some(oauth),
        clock.shared(),
    )
}
