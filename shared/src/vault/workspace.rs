use async_trait::async_trait;

use super::{Error, NoVault, Vault, renew::Usable, throttle::Rate};
use crate::{
    actions,
    connectors::{
        self,
        google::sync::{
            FileChangesSince, FileContent, Files, MailChangesSince, Mails, OneMail, Profile,
            Reading, StartPosition, Watch,
        },
    },
    ids::{IntegrationId, OrgId},
    models::IntegrationService,
    retry::{Policy, retry},
};

pub use crate::connectors::google::sync::{
    DriveFile, FileChange, FileChanges, FilePage, MAX_MAIL_BYTES, MailChanges, MailPage, MailTouch,
    MailWatch, Mailbox, NextFiles, RawMail, Since,
};

/// The account of Google that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncAccount {
    /// The organization that has connected it.
    pub org_id: OrgId,
    /// Its integration.
    pub integration_id: IntegrationId,
}

/// Mailboxes and files of connected accounts, to be read: the hub, for the sync. What may help is
/// tried again, for as long as one call may take.
#[async_trait]
pub trait Workspace: Send + Sync {
    /// The mailbox as a whole.
    ///
    /// # Errors
    /// Returns [`Error`].
    async fn mailbox(&self, account: &SyncAccount) -> Result<Mailbox, Error>;

    /// Up to 500 mails, newest first, without spam and bin.
    ///
    /// # Errors
    /// Returns [`Error`].
    async fn list_mail(&self, account: &SyncAccount, page: Option<&str>)
    -> Result<MailPage, Error>;

    /// What has happened in the mailbox since a position.
    ///
    /// # Errors
    /// Returns [`Error`].
    async fn list_mail_changes(
        &self,
        account: &SyncAccount,
        since: &str,
        page: Option<&str>,
    ) -> Result<Since<MailChanges>, Error>;

    /// A mail, wherever it is; none when it is gone. One that is larger than so many bytes, or than
    /// [`MAX_MAIL_BYTES`], comes as its headers alone.
    ///
    /// # Errors
    /// Returns [`Error`].
    async fn find_mail(
        &self,
        account: &SyncAccount,
        id: &str,
        limit: usize,
    ) -> Result<Option<RawMail>, Error>;

    /// Has Gmail publish to a topic that the mailbox has changed, `projects/p/topics/t`.
    ///
    /// # Errors
    /// Returns [`Error`].
    async fn watch_mailbox(&self, account: &SyncAccount, topic: &str) -> Result<MailWatch, Error>;

    /// The position of the last change of files.
    ///
    /// # Errors
    /// Returns [`Error`].
    async fn drive_position(&self, account: &SyncAccount) -> Result<String, Error>;

    /// Files that are not in the bin.
    ///
    /// # Errors
    /// Returns [`Error`].
    async fn list_files(
        &self,
        account: &SyncAccount,
        page: Option<&str>,
    ) -> Result<FilePage, Error>;

    /// What has happened to files since a position, which may be that of a next page.
    ///
    /// # Errors
    /// Returns [`Error`].
    async fn list_file_changes(
        &self,
        account: &SyncAccount,
        position: &str,
    ) -> Result<Since<FileChanges>, Error>;

    /// The content of a file, exported as a type if one is given; none when it is gone, out of reach
    /// or larger than so many bytes.
    ///
    /// # Errors
    /// Returns [`Error`].
    async fn read_file(
        &self,
        account: &SyncAccount,
        file: &DriveFile,
        as_type: Option<&str>,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, Error>;
}

#[async_trait]
impl Workspace for Vault {
    async fn mailbox(&self, account: &SyncAccount) -> Result<Mailbox, Error> {
        self.read(account, &Profile).await
    }

    async fn list_mail(
        &self,
        account: &SyncAccount,
        page: Option<&str>,
    ) -> Result<MailPage, Error> {
        self.read(account, &Mails { page }).await
    }

    async fn list_mail_changes(
        &self,
        account: &SyncAccount,
        since: &str,
        page: Option<&str>,
    ) -> Result<Since<MailChanges>, Error> {
        self.read(account, &MailChangesSince { since, page }).await
    }

    async fn find_mail(
        &self,
        account: &SyncAccount,
        id: &str,
        limit: usize,
    ) -> Result<Option<RawMail>, Error> {
        let mail = OneMail {
            id,
            max_bytes: limit,
        };
        self.read(account, &mail).await
    }

    async fn watch_mailbox(&self, account: &SyncAccount, topic: &str) -> Result<MailWatch, Error> {
        self.read(account, &Watch { topic }).await
    }

    async fn drive_position(&self, account: &SyncAccount) -> Result<String, Error> {
        self.read(account, &StartPosition).await
    }

    async fn list_files(
        &self,
        account: &SyncAccount,
        page: Option<&str>,
    ) -> Result<FilePage, Error> {
        self.read(account, &Files { page }).await
    }

    async fn list_file_changes(
        &self,
        account: &SyncAccount,
        position: &str,
    ) -> Result<Since<FileChanges>, Error> {
        self.read(account, &FileChangesSince { position }).await
    }

    async fn read_file(
        &self,
        account: &SyncAccount,
        file: &DriveFile,
        as_type: Option<&str>,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, Error> {
        let size = file.size.filter(|_| as_type.is_none()).unwrap_or(0);
        if usize::try_from(size).unwrap_or(usize::MAX) > limit {
            return Ok(None);
        }
        let content = FileContent {
            id: &file.id,
            as_type,
            max_bytes: limit,
        };
        self.read(account, &content).await
    }
}

#[async_trait]
impl Workspace for NoVault {
    async fn mailbox(&self, _: &SyncAccount) -> Result<Mailbox, Error> {
        Err(Error::NotConnected)
    }

    async fn list_mail(&self, _: &SyncAccount, _: Option<&str>) -> Result<MailPage, Error> {
        Err(Error::NotConnected)
    }

    async fn list_mail_changes(
        &self,
        _: &SyncAccount,
        _: &str,
        _: Option<&str>,
    ) -> Result<Since<MailChanges>, Error> {
        Err(Error::NotConnected)
    }

    async fn find_mail(
        &self,
        _: &SyncAccount,
        _: &str,
        _: usize,
    ) -> Result<Option<RawMail>, Error> {
        Err(Error::NotConnected)
    }

    async fn watch_mailbox(&self, _: &SyncAccount, _: &str) -> Result<MailWatch, Error> {
        Err(Error::NotConnected)
    }

    async fn drive_position(&self, _: &SyncAccount) -> Result<String, Error> {
        Err(Error::NotConnected)
    }

    async fn list_files(&self, _: &SyncAccount, _: Option<&str>) -> Result<FilePage, Error> {
        Err(Error::NotConnected)
    }

    async fn list_file_changes(
        &self,
        _: &SyncAccount,
        _: &str,
    ) -> Result<Since<FileChanges>, Error> {
        Err(Error::NotConnected)
    }

    async fn read_file(
        &self,
        _: &SyncAccount,
        _: &DriveFile,
        _: Option<&str>,
        _: usize,
    ) -> Result<Option<Vec<u8>>, Error> {
        Err(Error::NotConnected)
    }
}

impl Vault {
    /// Reads with credentials that are good, and once more with new ones if these are refused.
    async fn read<R: Reading>(
        &self,
        account: &SyncAccount,
        reading: &R,
    ) -> Result<R::Answer, Error> {
        let SyncAccount {
            org_id,
            integration_id,
        } = account;
        let google = IntegrationService::Google;
        let usable = self.usable(org_id, integration_id, google, None).await?;
        match self.read_with(&usable, reading).await {
            Err(Error::Service(connectors::Error::Unauthorized)) => {}
            done => return done,
        }
        let renewed = self.renewed(&usable).await?;
        if renewed.has_other_credentials(&usable) {
            match self.read_with(&renewed, reading).await {
                Err(Error::Service(connectors::Error::Unauthorized)) => {}
                done => return done,
            }
        }
        Err(self.refused_for_good(&renewed).await?)
    }

    async fn read_with<R: Reading>(
        &self,
        usable: &Usable,
        reading: &R,
    ) -> Result<R::Answer, Error> {
        let scopes = R::API.scopes();
        let missing = actions::missing_scopes(scopes, &usable.integration.granted_scopes);
        let missing: Vec<_> = missing.map(str::to_owned).collect();
        if !missing.is_empty() {
            return Err(Error::NeedsConsent { scopes: missing });
        }
        let google = self.connectors.google().ok_or(Error::NotConnected)?;
        let rate = Rate::of_reading::<R>();
        let read = retry(Policy::REMOTE_CALL, async || {
            self.throttle.wait(&usable.integration.id, rate).await?;
            google.read(&usable.credentials, reading).await
        });
        read.await.map_err(|error| match error {
            connectors::Error::Forbidden {
                needs_consent: true,
            } => Error::needs_consent(scopes),
            error => error.into(),
        })
    }
}
