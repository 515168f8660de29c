use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};
use shared::{
    connectors::{Account, Connectors, Credentials, GoogleTokens},
    crypto::{Envelope, LocalKeys},
    ids::{IntegrationId, OrgId, Uid, WorkflowId},
    models::{
        Integration, IntegrationService, KnowledgeChunk, KnowledgeDocument, KnowledgeKind,
        KnowledgeUse, SubscriptionTier, SyncState, Trigger, Workflow,
    },
    store::{document_db::Document, integrations, workflows},
    testing::{FakeAccount, FakeGoogle, FakeService, FakeWorkspace, FixedClock, MemoryDb},
    vault::{Connecting, Vault},
};

use crate::app::{NOW, Options, TestApp, due};

pub(crate) const GMAIL_READ: &str = "https://www.googleapis.com/auth/gmail.readonly";
pub(crate) const DRIVE_READ: &str = "https://www.googleapis.com/auth/drive.readonly";

/// A Google with any number of accounts.
#[derive(Clone)]
pub(crate) struct Google {
    pub(crate) service: Arc<FakeService>,
    pub(crate) google: FakeGoogle,
    pub(crate) workspace: FakeWorkspace,
}

/// An organization `o1` with one connected account.
pub(crate) struct World {
    pub(crate) app: TestApp,
    pub(crate) google: Google,
    pub(crate) user: FakeAccount,
    pub(crate) vault: Vault,
    pub(crate) id: IntegrationId,
    pub(crate) org_id: OrgId,
}

impl Google {
    pub(crate) async fn start() -> Self {
        let service = Arc::new(FakeService::new());
        Self {
            google: FakeGoogle::start(service.clone()).await,
            workspace: FakeWorkspace::start(service.clone()).await,
            service,
        }
    }

    fn vault(&self, db: &Arc<MemoryDb>, clock: &FixedClock) -> Vault {
        let key = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../../shared/tests/fixtures/credentials-key.json");
        let adapter = self.workspace.adapter(&self.google, clock.shared());
        Vault::new(
            db.store(),
            Envelope::new(Arc::new(LocalKeys::new(key)), clock.shared()),
            Connectors::new(HashMap::new()).with_google(adapter),
            Some(self.google.oauth(clock.shared())),
            clock.shared(),
        )
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        Self::of(Google::start().await, "sub-1", options).await
    }

    /// The same with a workflow that every mail starts, and its first look done.
    pub(crate) async fn looked_at_once() -> Self {
        let world = Self::new().await;
        world
            .add_workflow("all", json!({ "type": "onEmailReceived" }))
            .await;
        world.sync_well().await;
        world
    }

    /// The same with an account of a Google that is there.
    pub(crate) async fn of(google: Google, account_id: &str, options: Options) -> Self {
        let (db, clock) = (Arc::new(MemoryDb::new()), FixedClock::at(NOW));
        let vault = google.vault(&db, &clock);
        let app = TestApp::on(db, clock, Arc::new(vault.clone()), options);
        app.add_organization("o1", SubscriptionTier::Pro).await;
        let account = Account {
            id: Some(account_id.to_owned()),
            label: "a…@example.com".to_owned(),
            scopes: vec![GMAIL_READ.to_owned(), DRIVE_READ.to_owned()],
        };
        let token = format!("access-{account_id}");
        google.service.accept(&token, &account);
        google
            .google
            .grant(&format!("refresh-{account_id}"), &account);
        let world = Self {
            user: google.workspace.account(account_id),
            app,
            google,
            vault,
            id: IntegrationId::derive(&[]),
            org_id: OrgId::parse("o1").unwrap(),
        };
        world.connected(&account, &token).await
    }

    async fn connected(mut self, account: &Account, token: &str) -> Self {
        let now: shared::models::Timestamp = NOW.parse::<jiff::Timestamp>().unwrap().into();
        let credentials = Credentials::Google(GoogleTokens {
            access_token: token.into(),
            expires_at: now.plus_seconds(1_000 * 86_400),
            refresh_token: token.replace("access", "refresh").into(),
        });
        let uid = Uid::parse("u1").unwrap();
        let connecting = Connecting {
            org_id: &self.org_id,
            uid: &uid,
            service: IntegrationService::Google,
        };
        let vault = &self.vault;
        let connection = vault.seal_for(&connecting, account, &credentials).await;
        let connection = connection.unwrap();
        let (writes, _) = vault.keep_connection(&connection).await.unwrap();
        self.app.store.commit(writes).await.unwrap();
        self.id = connection.id().clone();
        self.change(|integration| integration.allows_triggers = true)
            .await;
        self
    }

    pub(crate) fn due(&self) -> Value {
        due("m1", self.org_id.as_str(), self.id.as_str())
    }

    /// One message for the integration.
    pub(crate) async fn sync(&self) -> u16 {
        self.app.push(&self.due()).await
    }

    /// The same, which has to bring both kinds to their end.
    pub(crate) async fn sync_well(&self) {
        assert_eq!(self.sync().await, 204);
        for kind in [KnowledgeKind::Gmail, KnowledgeKind::Drive] {
            let state = self.state(kind).await;
            assert_eq!(state.error_cause, None, "{kind:?}");
            assert_eq!(state.synced_at, Some(self.app.clock_now()), "{kind:?}");
        }
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.app.clock.advance(Duration::from_secs(seconds));
    }

    pub(crate) async fn state(&self, kind: KnowledgeKind) -> SyncState {
        let found = self.app.store.find_sync_state(&self.org_id, &self.id, kind);
        let found = found.await.unwrap();
        found.map_or_else(|| SyncState::new(self.org_id.clone()), |found| found.value)
    }

    /// Has somebody change the integration.
    pub(crate) async fn change(&self, change: impl FnOnce(&mut Integration)) {
        let found = self.app.store.find_integration(&self.org_id, &self.id);
        let mut integration = found.await.unwrap().unwrap();
        change(&mut integration.value);
        let writes = integrations::replace(&integration).unwrap();
        self.app.store.commit(writes.into()).await.unwrap();
    }

    /// Has the account grant nothing but this scope.
    pub(crate) async fn grant(&self, scope: &str) {
        let scopes = vec![scope.to_owned()];
        self.change(|integration| integration.granted_scopes = scopes)
            .await;
    }

    pub(crate) async fn integration(&self) -> Integration {
        let found = self.app.store.find_integration(&self.org_id, &self.id);
        found.await.unwrap().unwrap().value
    }

    /// The documents of the index by the provider's ids.
    pub(crate) fn documents(&self) -> BTreeMap<String, KnowledgeDocument> {
        let all = self.decoded("organizations/o1/knowledge_documents/");
        let by_id = |document: KnowledgeDocument| (document.source.id.clone(), document);
        all.into_iter().map(by_id).collect()
    }

    pub(crate) fn chunks(&self) -> Vec<KnowledgeChunk> {
        self.decoded("organizations/o1/knowledge/")
    }

    pub(crate) fn used(&self) -> KnowledgeUse {
        let used = self.decoded("organizations/o1/quota/knowledge");
        used.into_iter().next().unwrap_or_default()
    }

    pub(crate) fn triggers(&self) -> Vec<Trigger> {
        self.decoded("triggers/")
    }

    /// All that the index holds, with the versions.
    pub(crate) fn index(&self) -> Vec<Document> {
        let parts = ["knowledge/", "knowledge_documents/", "quota/knowledge"];
        let index = parts.map(|part| self.app.db.documents(&format!("organizations/o1/{part}")));
        let triggers = self.app.db.documents("triggers/");
        index.into_iter().flatten().chain(triggers).collect()
    }

    fn decoded<T: serde::de::DeserializeOwned>(&self, prefix: &str) -> Vec<T> {
        let documents = self.app.db.documents(prefix);
        documents
            .iter()
            .map(|document| shared::store::decode(document).unwrap())
            .collect()
    }

    /// An active workflow that mail starts under these conditions.
    pub(crate) async fn add_workflow(&self, id: &str, trigger: Value) {
        let workflow = Workflow {
            id: WorkflowId::parse(id).unwrap(),
            org_id: self.org_id.clone(),
            name: id.to_owned(),
            description: String::new(),
            nodes: Vec::new(),
            edges: Vec::new(),
            triggers: vec![trigger],
            active: true,
            created_at: None,
            updated_at: None,
        };
        let write = workflows::create(&workflow).unwrap();
        self.app.store.commit(vec![write]).await.unwrap();
    }
}
