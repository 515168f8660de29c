use std::{
    collections::BTreeMap,
    sync::{Arc, MutexGuard},
};

use super::{
    Shared, State,
    drive::Drive,
    gmail::Mailbox,
    lock,
    message::{self, SentMail},
    weather::Fault,
};

/// What an account shows its user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroundTruth {
    /// Mails by id, without spam and bin.
    pub mails: BTreeMap<String, Seen>,
    /// Files by id that are in reach and not in the bin.
    pub files: BTreeMap<String, Seen>,
}

/// A mail or a file, as people see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The subject, or the name.
    pub title: String,
    /// What is written in it.
    pub text: String,
}

#[derive(Default)]
pub(super) struct Account {
    pub(super) mailbox: Mailbox,
    pub(super) drive: Drive,
    /// How all of its calls fail.
    pub(super) outage: Option<Fault>,
    /// Has the user's clock, in seconds; each thing that happens takes one.
    happened: i64,
}

/// 2026-11-26T12:00:00Z.
const BEGAN_AT: i64 = 1_795_694_400;

impl Account {
    /// The second of the next thing that happens.
    pub(super) fn tick(&mut self) -> i64 {
        self.happened += 1;
        BEGAN_AT + self.happened
    }
}

/// What the user of one account does, and sees. All of it is named by ids: who names what is not
/// there panics.
#[derive(Clone)]
pub struct FakeAccount {
    shared: Arc<Shared>,
    id: String,
}

/// Mail.
impl FakeAccount {
    pub(super) fn new(shared: Arc<Shared>, id: &str) -> Self {
        let id = id.to_owned();
        Self { shared, id }
    }

    /// A mail of plain text comes into the inbox; gives its id.
    pub fn deliver(&self, from: &str, subject: &str, text: &str) -> String {
        self.change(|account| {
            let millis = account.tick() * 1_000;
            let number = account.mailbox.next_number();
            let raw = message::compose(number, from, subject, text, millis);
            let seen = Seen {
                title: subject.to_owned(),
                text: text.to_owned(),
            };
            account.mailbox.add(raw, seen, &["INBOX", "UNREAD"], millis)
        })
    }

    /// A message (RFC 5322) comes into the inbox; gives its id.
    pub fn deliver_raw(&self, raw: impl Into<Vec<u8>>) -> String {
        self.deliver_labelled(raw, &["INBOX", "UNREAD"])
    }

    /// A message (RFC 5322) comes, with such labels: `SPAM`, say; gives its id.
    pub fn deliver_labelled(&self, raw: impl Into<Vec<u8>>, labels: &[&str]) -> String {
        let raw = raw.into();
        self.change(|account| {
            let millis = account.tick() * 1_000;
            let seen = message::seen(&raw);
            account.mailbox.add(raw, seen, labels, millis)
        })
    }

    /// Puts labels on a mail and takes others off.
    pub fn label_mail(&self, id: &str, added: &[&str], removed: &[&str]) {
        self.change(|account| account.mailbox.label(id, added, removed));
    }

    /// Puts a mail into the bin.
    pub fn trash_mail(&self, id: &str) {
        self.label_mail(id, &["TRASH"], &["INBOX"]);
    }

    /// Takes a mail out of the bin.
    pub fn untrash_mail(&self, id: &str) {
        self.label_mail(id, &["INBOX"], &["TRASH"]);
    }

    /// Deletes a mail for good.
    pub fn delete_mail(&self, id: &str) {
        self.change(|account| account.mailbox.delete(id));
    }

    /// Has Gmail forget all that has happened so far: positions of now are good still.
    pub fn expire_history(&self) {
        self.change(|account| account.mailbox.expire_history());
    }

    /// The position of the mailbox's last change.
    #[must_use]
    pub fn history_id(&self) -> String {
        self.change(|account| account.mailbox.history_id().to_string())
    }

    /// The topic that Gmail publishes to, if somebody has asked for it.
    #[must_use]
    pub fn watched_topic(&self) -> Option<String> {
        self.change(|account| account.mailbox.topic.clone())
    }

    /// What was sent by the API, oldest first.
    #[must_use]
    pub fn sent(&self) -> Vec<SentMail> {
        self.change(|account| account.mailbox.sent())
    }
}

/// Files.
impl FakeAccount {
    /// Makes a file of any type, Google's own included, whose exports then are the content; gives its
    /// id.
    pub fn create_file(&self, name: &str, mime_type: &str, content: impl Into<Vec<u8>>) -> String {
        self.change(|account| {
            let second = account.tick();
            let content = content.into();
            account.drive.create(name, mime_type, content, second)
        })
    }

    /// Makes a Google document; gives its id.
    pub fn create_document(&self, name: &str, text: &str) -> String {
        self.create_file(name, "application/vnd.google-apps.document", text)
    }

    /// Makes a folder: what is in it goes into the bin, or out of reach, with it, of which Drive
    /// tells nothing; gives its id.
    pub fn create_folder(&self, name: &str) -> String {
        self.create_file(name, "application/vnd.google-apps.folder", "")
    }

    /// Writes other content into a file.
    pub fn edit_file(&self, id: &str, content: impl Into<Vec<u8>>) {
        self.change_file(id, |file| file.content = content.into());
    }

    /// Gives a file another name.
    pub fn rename_file(&self, id: &str, name: &str) {
        self.change_file(id, |file| name.clone_into(&mut file.name));
    }

    /// Puts a file into another folder.
    pub fn move_file(&self, id: &str, folder_id: &str) {
        self.change_file(id, |file| folder_id.clone_into(&mut file.folder_id));
    }

    /// Puts a file into the bin.
    pub fn trash_file(&self, id: &str) {
        self.change_file(id, |file| file.is_trashed = true);
    }

    /// Takes a file out of the bin.
    pub fn restore_file(&self, id: &str) {
        self.change_file(id, |file| file.is_trashed = false);
    }

    /// Has the owner of a file take it out of the account's reach.
    pub fn unshare_file(&self, id: &str) {
        self.change_file(id, |file| file.is_shared = false);
    }

    /// Has the owner of a file put it into the account's reach again.
    pub fn reshare_file(&self, id: &str) {
        self.change_file(id, |file| file.is_shared = true);
    }

    /// Deletes a file for good.
    pub fn delete_file(&self, id: &str) {
        self.change(|account| account.drive.delete(id));
    }

    /// Has the file say nothing of its size, as Drive does not have to.
    pub fn hide_size(&self, id: &str) {
        self.change_file(id, |file| file.hides_size = true);
    }

    fn change_file(&self, id: &str, change: impl FnOnce(&mut super::drive::File)) {
        self.change(|account| {
            let second = account.tick();
            account.drive.change(id, second, change);
        });
    }
}

/// The account as a whole.
impl FakeAccount {
    /// What its user would see now.
    #[must_use]
    pub fn ground_truth(&self) -> GroundTruth {
        self.change(|account| GroundTruth {
            mails: account.mailbox.shown(),
            files: account.drive.shown(),
        })
    }

    /// Has the account's clock go on to a time, in seconds since 1970, unless it is past that.
    pub fn pass_to(&self, second: i64) {
        self.change(|account| account.happened = account.happened.max(second - BEGAN_AT));
    }

    /// Has all of its calls fail, until it is told otherwise.
    pub fn set_outage(&self, outage: Option<Fault>) {
        self.change(|account| account.outage = outage);
    }

    fn change<T>(&self, change: impl FnOnce(&mut Account) -> T) -> T {
        let mut state: MutexGuard<'_, State> = lock(&self.shared.state);
        change(state.accounts.entry(self.id.clone()).or_default())
    }
}
