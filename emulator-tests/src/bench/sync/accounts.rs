use std::future::pending;

use async_trait::async_trait;
use shared::{
    clock::{Clock, SystemClock},
    connectors,
    vault::{
        DriveFile, Error, FileChanges, FilePage, MailChanges, MailPage, MailWatch, Mailbox,
        NextFiles, RawMail, Since, SyncAccount, Workspace,
    },
};

use super::mails::compose;

/// Mails of a page, as Gmail gives them.
const PAGE: usize = 500;

/// Of so many accounts, one hangs or fails.
const SPOILT_OF: usize = 100;

/// A Google without a network: each account has the same number of mails and files.
#[derive(Clone, Copy)]
pub(super) struct Accounts {
    mails: usize,
    files: usize,
    has_spoilt: bool,
}

impl Accounts {
    /// Accounts of mail alone, all of which answer.
    pub(super) fn of_mail(mails: usize) -> Self {
        Self {
            mails,
            files: 0,
            has_spoilt: false,
        }
    }

    /// Accounts of mail and files, of each hundred of which the last hangs or fails by turns.
    pub(super) fn with_spoilt(mails: usize, files: usize) -> Self {
        Self {
            mails,
            files,
            has_spoilt: true,
        }
    }

    /// How many of the first `count` accounts hang or fail.
    pub(super) fn spoilt(count: usize) -> usize {
        count / SPOILT_OF
    }

    async fn answer(&self, account: &SyncAccount) -> Result<(), Error> {
        tokio::task::yield_now().await;
        let number = account.org_id.as_str().trim_start_matches('o');
        let number: usize = number.parse().unwrap_or_default();
        if !self.has_spoilt || !number.is_multiple_of(SPOILT_OF) {
            return Ok(());
        }
        match number.is_multiple_of(2 * SPOILT_OF) {
            true => Err(connectors::Error::Unavailable("switched off".into()).into()),
            false => pending().await,
        }
    }
}

#[async_trait]
impl Workspace for Accounts {
    async fn mailbox(&self, account: &SyncAccount) -> Result<Mailbox, Error> {
        self.answer(account).await?;
        Ok(Mailbox {
            address: "ada@example.com".into(),
            history_id: "1".to_owned(),
        })
    }

    async fn list_mail(
        &self,
        account: &SyncAccount,
        page: Option<&str>,
    ) -> Result<MailPage, Error> {
        self.answer(account).await?;
        let first: usize = page.and_then(|page| page.parse().ok()).unwrap_or(0);
        let end = self.mails.min(first + PAGE);
        Ok(MailPage {
            ids: (first..end).map(|number| number.to_string()).collect(),
            next_page: (end < self.mails).then(|| end.to_string()),
        })
    }

    async fn list_mail_changes(
        &self,
        account: &SyncAccount,
        since: &str,
        _: Option<&str>,
    ) -> Result<Since<MailChanges>, Error> {
        self.answer(account).await?;
        Ok(Since::Known(MailChanges {
            touched: Vec::new(),
            history_id: since.to_owned(),
            next_page: None,
        }))
    }

    async fn find_mail(
        &self,
        account: &SyncAccount,
        id: &str,
        _: usize,
    ) -> Result<Option<RawMail>, Error> {
        self.answer(account).await?;
        Ok(id.parse().ok().map(|number| RawMail {
            id: id.to_owned(),
            thread_id: id.to_owned(),
            labels: vec!["INBOX".to_owned()],
            received_at: SystemClock.now().into(),
            raw: compose(number),
            is_whole: true,
        }))
    }

    async fn watch_mailbox(&self, _: &SyncAccount, _: &str) -> Result<MailWatch, Error> {
        Err(Error::NotConnected)
    }

    async fn drive_position(&self, account: &SyncAccount) -> Result<String, Error> {
        self.answer(account).await?;
        Ok("1".to_owned())
    }

    async fn list_files(&self, account: &SyncAccount, _: Option<&str>) -> Result<FilePage, Error> {
        self.answer(account).await?;
        let file = |number: usize| DriveFile {
            id: format!("f{number}"),
            name: format!("Plan {number}"),
            mime_type: "text/plain".to_owned(),
            modified_at: None,
            revision: "1".to_owned(),
            size: None,
            is_trashed: false,
            link: None,
        };
        Ok(FilePage {
            files: (0..self.files).map(file).collect(),
            next_page: None,
        })
    }

    async fn list_file_changes(
        &self,
        account: &SyncAccount,
        position: &str,
    ) -> Result<Since<FileChanges>, Error> {
        self.answer(account).await?;
        Ok(Since::Known(FileChanges {
            changes: Vec::new(),
            next: NextFiles::Position(position.to_owned()),
        }))
    }

    async fn read_file(
        &self,
        account: &SyncAccount,
        file: &DriveFile,
        _: Option<&str>,
        _: usize,
    ) -> Result<Option<Vec<u8>>, Error> {
        self.answer(account).await?;
        let number: usize = file.id[1..].parse().unwrap_or_default();
        Ok(Some(compose(number)))
    }
}
