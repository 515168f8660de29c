use std::{
    collections::BTreeSet,
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use shared::vault::{
    DriveFile, Error, FileChanges, FilePage, MAX_MAIL_BYTES, MailChanges, MailPage, MailWatch,
    Mailbox, RawMail, Since, SyncAccount, Vault, Workspace,
};
use tokio::sync::Notify;

use crate::{
    app::{Options, TestApp},
    world::World,
};

/// The world's Google, whose contents are watched as they are fetched.
pub(crate) struct Contents {
    google: Vault,
    /// Whoever fetches these is told of, and gets no answer.
    deadly: Mutex<BTreeSet<String>>,
    fetches_deadly: Notify,
    fetched: AtomicUsize,
    under_way: AtomicUsize,
    most: AtomicUsize,
    on_fetch: Box<dyn Fn() + Send + Sync>,
}

impl Contents {
    pub(crate) fn of(world: &World) -> Arc<Self> {
        Self::with(world, || ())
    }

    /// The same; does this whenever a content is asked for.
    pub(crate) fn with(world: &World, on_fetch: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            google: world.vault.clone(),
            deadly: Mutex::default(),
            fetches_deadly: Notify::new(),
            fetched: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            on_fetch: Box::new(on_fetch),
        })
    }

    /// Has nobody survive who fetches this.
    pub(crate) fn make_deadly(&self, id: &str) {
        self.deadly.lock().unwrap().insert(id.to_owned());
    }

    pub(crate) fn make_harmless(&self, id: &str) {
        self.deadly.lock().unwrap().remove(id);
    }

    /// Contents that were fetched, or that somebody died of.
    pub(crate) fn fetched(&self) -> usize {
        self.fetched.load(Ordering::SeqCst)
    }

    /// So many were being fetched at once.
    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    /// Comes back once somebody fetches what is deadly.
    pub(crate) async fn is_fetched(&self) {
        self.fetches_deadly.notified().await;
    }

    async fn fetch<T>(&self, id: &str, fetch: impl Future<Output = T>) -> T {
        self.fetched.fetch_add(1, Ordering::SeqCst);
        (self.on_fetch)();
        if self.deadly.lock().unwrap().contains(id) {
            self.fetches_deadly.notify_one();
            return pending().await;
        }
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let fetched = fetch.await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        fetched
    }
}

/// A process that has its Google from `contents`, in place of the one that there was.
pub(crate) fn restart(world: &mut World, contents: &Arc<Contents>, options: Options) {
    let (db, clock) = (world.app.db.clone(), world.app.clock.clone());
    world.app = TestApp::on(db, clock, contents.clone(), options);
}

/// Lets a new process sync until it dies of something; false if it does not.
pub(crate) async fn dies(world: &mut World, contents: &Arc<Contents>) -> bool {
    world.advance(61);
    restart(world, contents, Options::default());
    tokio::select! {
        _ = world.sync() => false,
        () = contents.is_fetched() => true,
    }
}

#[async_trait]
impl Workspace for Contents {
    async fn mailbox(&self, account: &SyncAccount) -> Result<Mailbox, Error> {
        self.google.mailbox(account).await
    }

    async fn list_mail(
        &self,
        account: &SyncAccount,
        page: Option<&str>,
    ) -> Result<MailPage, Error> {
        self.google.list_mail(account, page).await
    }

    async fn list_mail_changes(
        &self,
        account: &SyncAccount,
        since: &str,
        page: Option<&str>,
    ) -> Result<Since<MailChanges>, Error> {
        self.google.list_mail_changes(account, since, page).await
    }

    /// Headers are no content. Mails of the usual size are not watched.
    async fn find_mail(
        &self,
        account: &SyncAccount,
        id: &str,
        limit: usize,
    ) -> Result<Option<RawMail>, Error> {
        let found = self.google.find_mail(account, id, limit);
        let is_deadly = self.deadly.lock().unwrap().contains(id);
        match limit == MAX_MAIL_BYTES || (is_deadly && limit > 0) {
            true => self.fetch(id, found).await,
            false => found.await,
        }
    }

    async fn watch_mailbox(&self, account: &SyncAccount, topic: &str) -> Result<MailWatch, Error> {
        self.google.watch_mailbox(account, topic).await
    }

    async fn drive_position(&self, account: &SyncAccount) -> Result<String, Error> {
        self.google.drive_position(account).await
    }

    async fn list_files(
        &self,
        account: &SyncAccount,
        page: Option<&str>,
    ) -> Result<FilePage, Error> {
        self.google.list_files(account, page).await
    }

    async fn list_file_changes(
        &self,
        account: &SyncAccount,
        position: &str,
    ) -> Result<Since<FileChanges>, Error> {
        self.google.list_file_changes(account, position).await
    }

    async fn read_file(
        &self,
        account: &SyncAccount,
        file: &DriveFile,
        as_type: Option<&str>,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, Error> {
        let read = self.google.read_file(account, file, as_type, limit);
        self.fetch(&file.id, read).await
    }
}
