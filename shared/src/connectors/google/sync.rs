//! What the sync reads of mailboxes and of Drive. All of it is state: a list of changes only names
//! what to look at again.

mod drive;
mod gmail;

use std::{fmt, future::Future};

use secrecy::SecretString;

use super::call::Session;
use crate::{
    actions::{self, AnyOf},
    connectors::Error,
    models::Timestamp,
};

pub(crate) use drive::{FileChangesSince, FileContent, Files, StartPosition};
pub use gmail::MAX_MAIL_BYTES;
pub(crate) use gmail::{MailChangesSince, Mails, OneMail, Profile, Watch};

/// What came since a position, if Google still knows that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since<T> {
    /// It does.
    Known(T),
    /// The position is too old: everything has to be looked at.
    Expired,
}

/// A mailbox as a whole.
#[derive(Clone, Debug)]
pub struct Mailbox {
    /// Its address.
    pub address: SecretString,
    /// The position of its last change.
    pub history_id: String,
}

/// A mail that something has happened to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailTouch {
    /// Which mail.
    pub id: String,
    /// Whether it has come since, rather than changed or gone.
    pub is_new: bool,
}

/// A page of changes of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailChanges {
    /// Each mail once, in the order of its first change.
    pub touched: Vec<MailTouch>,
    /// Where to go on after this page is handled.
    pub history_id: String,
    /// The token of the next page, if there is one.
    pub next_page: Option<String>,
}

/// A page of a mailbox, newest first, without spam and bin. An empty one may have one behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailPage {
    /// Mails.
    pub ids: Vec<String>,
    /// The token of the next page, if there is one.
    pub next_page: Option<String>,
}

/// A mail as it was sent.
#[derive(Clone, PartialEq, Eq)]
pub struct RawMail {
    /// Which mail.
    pub id: String,
    /// Which conversation it belongs to.
    pub thread_id: String,
    /// Ids of its labels: `INBOX`, `SPAM`, `TRASH`, `Label_7`.
    pub labels: Vec<String>,
    /// When Gmail took it.
    pub received_at: Timestamp,
    /// The message (RFC 5322).
    pub raw: Vec<u8>,
    /// Whether that is all of it, rather than its headers alone.
    pub is_whole: bool,
}

/// A file as Drive describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriveFile {
    /// Which file.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its media type, or one of Google's own: `application/vnd.google-apps.document`.
    pub mime_type: String,
    /// When somebody last changed it.
    pub modified_at: Option<Timestamp>,
    /// Changes whenever the content does.
    pub revision: String,
    /// Bytes of its content, where it has content of its own.
    pub size: Option<u64>,
    /// Whether it, or a folder around it, is in the bin.
    pub is_trashed: bool,
    /// Where people open it.
    pub link: Option<String>,
}

/// A file that something has happened to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// Which file.
    pub id: String,
    /// What it is now; none when it is gone, or out of reach.
    pub file: Option<DriveFile>,
}

/// Where to go on with the changes of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextFiles {
    /// At the next page.
    Page(String),
    /// At this position, when there are changes again: this was the last page.
    Position(String),
}

/// A page of changes of files. An empty one may have one behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChanges {
    /// Each file once, as it is now.
    pub changes: Vec<FileChange>,
    /// Where to go on.
    pub next: NextFiles,
}

/// A page of the files that are not in the bin. An empty one may have one behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePage {
    /// Files.
    pub files: Vec<DriveFile>,
    /// The token of the next page, if there is one.
    pub next_page: Option<String>,
}

/// That Gmail tells of changes of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailWatch {
    /// The position of the mailbox's last change.
    pub history_id: String,
    /// When it ends, unless it is asked for again.
    pub expires_at: Timestamp,
}

/// Shows nothing that somebody wrote.
impl fmt::Debug for RawMail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("RawMail");
        shown.field("id", &self.id).field("labels", &self.labels);
        shown.finish_non_exhaustive()
    }
}

/// The APIs that the sync reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    /// Mail.
    Gmail,
    /// Files.
    Drive,
}

impl Api {
    /// What the user has to have granted: one scope of each group.
    pub(crate) fn scopes(self) -> &'static [AnyOf] {
        match self {
            Self::Gmail => actions::GMAIL_READ,
            Self::Drive => actions::DRIVE_READ,
        }
    }
}

/// A call of the sync, as a value. It may be repeated.
pub(crate) trait Reading: Sync {
    /// What comes of it.
    type Answer: Send;

    /// Which API it calls.
    const API: Api;

    /// What it costs in the units of its API.
    const UNITS: u32;

    /// Makes the call, once.
    fn read(
        &self,
        session: &Session<'_>,
    ) -> impl Future<Output = Result<Self::Answer, Error>> + Send;
}

/// What Google does not know any more is none.
fn found<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::Rejected { status: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
