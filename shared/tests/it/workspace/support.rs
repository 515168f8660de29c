use std::{collections::HashMap, path::PathBuf, sync::Arc};

use shared::{
    connectors::{Account, Connectors, Credentials, GoogleTokens},
    crypto::{Envelope, LocalKeys},
    ids::{OrgId, Uid},
    models::{Integration, IntegrationService},
    store::Store,
    testing::{FakeAccount, FakeGoogle, FakeService, FakeWorkspace, FixedClock, MemoryDb},
    vault::{
        Connecting, DriveFile, Error, FileChange, MailChanges, NextFiles, Since, SyncAccount,
        Vault, Workspace,
    },
};

pub(super) const GMAIL_READ: &str = "https://www.googleapis.com/auth/gmail.readonly";
pub(super) const DRIVE_READ: &str = "https://www.googleapis.com/auth/drive.readonly";

const ACCESS_TOKEN: &str = "ya29.canary-access";
const REFRESH_TOKEN: &str = "1//canary-refresh";

/// An organization with one connected account of Google.
pub(super) struct World {
    pub(super) db: Arc<MemoryDb>,
    pub(super) store: Store,
    pub(super) service: Arc<FakeService>,
    pub(super) google: FakeGoogle,
    pub(super) workspace: FakeWorkspace,
    pub(super) user: FakeAccount,
    pub(super) vault: Vault,
    pub(super) account: SyncAccount,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::granting(&[GMAIL_READ, DRIVE_READ]).await
    }

    /// The same with an account whose user has granted these scopes.
    pub(super) async fn granting(scopes: &[&str]) -> Self {
        let (db, clock) = (
            Arc::new(MemoryDb::new()),
            FixedClock::at("2026-11-26T12:00:00Z"),
        );
        let service = Arc::new(FakeService::new());
        let google = FakeGoogle::start(service.clone()).await;
        let workspace = FakeWorkspace::start(service.clone()).await;
        let adapter = workspace.adapter(&google, clock.shared());
        let key =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/credentials-key.json");
        let vault = Vault::new(
            db.store(),
            Envelope::new(Arc::new(LocalKeys::new(key)), clock.shared()),
            Connectors::new(HashMap::new()).with_google(adapter),
            Some(google.oauth(clock.shared())),
            clock.shared(),
        );
        let named = account("sub-1", scopes);
        service.accept(ACCESS_TOKEN, &named);
        google.grant(REFRESH_TOKEN, &named);
        let credentials = Credentials::Google(GoogleTokens {
            access_token: ACCESS_TOKEN.into(),
            expires_at: "2026-11-26T13:00:00Z"
                .parse::<jiff::Timestamp>()
                .unwrap()
                .into(),
            refresh_token: REFRESH_TOKEN.into(),
        });
        let account = connect(&vault, &db.store(), &named, &credentials).await;
        Self {
            store: db.store(),
            db,
            service,
            google,
            user: workspace.account("sub-1"),
            workspace,
            vault,
            account,
        }
    }

    /// Has Google end the access token before its time.
    pub(super) fn refuse_token(&self) {
        self.service.refuse(ACCESS_TOKEN);
    }

    pub(super) async fn integration(&self) -> Integration {
        let SyncAccount {
            org_id,
            integration_id,
        } = &self.account;
        let found = self.store.find_integration(org_id, integration_id).await;
        found.unwrap().unwrap().value
    }

    pub(super) async fn history_id(&self) -> String {
        self.vault.mailbox(&self.account).await.unwrap().history_id
    }

    pub(super) async fn mail_changes(&self, since: &str, page: Option<&str>) -> MailChanges {
        let changes = self.vault.list_mail_changes(&self.account, since, page);
        known(changes.await.unwrap())
    }

    /// All changes of files since a position, and the position behind them.
    pub(super) async fn file_changes(&self, position: &str) -> (Vec<FileChange>, String) {
        let (mut all, mut from) = (Vec::new(), position.to_owned());
        loop {
            let page = self.vault.list_file_changes(&self.account, &from).await;
            let page = known(page.unwrap());
            all.extend(page.changes);
            match page.next {
                NextFiles::Page(next) => from = next,
                NextFiles::Position(position) => return (all, position),
            }
        }
    }

    /// All files, by all pages.
    pub(super) async fn files(&self) -> Vec<DriveFile> {
        let (mut all, mut page) = (Vec::new(), None::<String>);
        loop {
            let listed = self.vault.list_files(&self.account, page.as_deref()).await;
            let listed = listed.unwrap();
            all.extend(listed.files);
            page = listed.next_page;
            if page.is_none() {
                return all;
            }
        }
    }

    pub(super) async fn file(&self, id: &str) -> DriveFile {
        let mut files = self.files().await.into_iter();
        files.find(|file| file.id == id).unwrap()
    }

    pub(super) async fn content(
        &self,
        file: &DriveFile,
        as_type: Option<&str>,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, Error> {
        self.vault
            .read_file(&self.account, file, as_type, limit)
            .await
    }

    /// Nothing was asked or answered that Google's documents do not have.
    pub(super) fn assert_no_problems(&self) {
        let problems = self.workspace.problems();
        assert!(problems.is_empty(), "{problems:#?}");
    }
}

pub(super) fn account(id: &str, scopes: &[&str]) -> Account {
    Account {
        id: Some(id.to_owned()),
        label: "a…@example.com".to_owned(),
        scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
    }
}

pub(super) async fn connect(
    vault: &Vault,
    store: &Store,
    account: &Account,
    credentials: &Credentials,
) -> SyncAccount {
    let (org_id, uid) = (OrgId::parse("o1").unwrap(), Uid::parse("u1").unwrap());
    let service = IntegrationService::Google;
    let connecting = Connecting {
        org_id: &org_id,
        uid: &uid,
        service,
    };
    let connection = vault
        .seal_for(&connecting, account, credentials)
        .await
        .unwrap();
    let (writes, _) = vault.keep_connection(&connection).await.unwrap();
    store.commit(writes).await.unwrap();
    SyncAccount {
        integration_id: connection.id().clone(),
        org_id,
    }
}

pub(super) fn known<T>(since: Since<T>) -> T {
    let known = match since {
        Since::Known(known) => Some(known),
        Since::Expired => None,
    };
    known.unwrap()
}
