//! The end of an account: whatever refers to a deleted user is removed or made pseudonymous.

use std::sync::Arc;

use crate::{
    audit::{self, Trail},
    identity::{self, Accounts},
    ids::Uid,
    models::{DeletedUser, ErasureState, Integration, SystemPrincipal, Timestamp},
    outbox,
    retry::Transient,
    store::{
        self, Page, Store, Versioned, Write, integrations, invitations, triggers, usage_ledger,
        users,
    },
    vault::{self, Vault},
};

/// How long it is remembered that an account was deleted: longer than any ID token is valid, and
/// than a sign-up event may be on its way
/// (<https://cloud.google.com/pubsub/docs/subscription-properties#message_retention>).
const KEPT_SECS: i64 = 31 * 24 * 3_600;

/// How long after the deletion something may still come to refer to the user: requests that were
/// under way end within 60 s, the time that the edge gives them. Calls of models may take longer, and
/// look when they are booked whether the user is there (`quota::admissions`).
const SETTLING_SECS: i64 = 120;

/// When an erasure that fails is tried again, after those that have waited longer.
const RETRY_SECS: i64 = 10 * 60;

/// Why an erasure is not finished; it is pending and goes on later.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database failed.
    #[error("the user's documents cannot be erased")]
    Store(#[from] store::Error),
    /// The audit trail cannot be changed.
    #[error("the user's audit records cannot be erased")]
    Audit(#[from] audit::Error),
    /// The user's integrations cannot be cleared.
    #[error("the user's integrations cannot be disconnected")]
    Vault(#[from] vault::Error),
    /// The account that the user signs in with cannot be ended.
    #[error("the keeper of the accounts did not do what was asked")]
    Account(#[from] identity::Error),
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient() || error.is_lost_race(),
            Self::Audit(error) => error.is_transient() || error.is_lost_race(),
            Self::Vault(error) => error.is_transient(),
            Self::Account(error) => error.is_transient(),
        }
    }
}

/// Documents that name a user.
#[derive(Clone, Copy)]
enum References {
    /// Their credentials are the user's, not the organization's.
    Integrations,
    /// Nobody can join by them any more.
    Invitations,
    /// The organization keeps its runs; who started them is forgotten.
    Triggers,
    /// The organization keeps its usage; who caused it is forgotten.
    Usage,
    /// What agents remember of the user alone.
    Memories,
    /// What the user and agents said to each other.
    Conversations,
}

impl References {
    const ALL: [Self; 6] = [
        Self::Integrations,
        Self::Invitations,
        Self::Triggers,
        Self::Usage,
        Self::Memories,
        Self::Conversations,
    ];

    /// How many are read and changed at once; a trigger may hold 256 kB, and so may a message.
    fn batch(self) -> u32 {
        match self {
            Self::Integrations | Self::Invitations | Self::Usage | Self::Memories => 200,
            Self::Triggers | Self::Conversations => 20,
        }
    }
}

/// Finishes what the deletion of an account has begun. Every step can be repeated.
#[derive(Clone)]
pub struct Erasure {
    store: Store,
    trail: Trail,
    accounts: Arc<dyn Accounts>,
    vault: Option<Vault>,
}

/// The write that marks a user as deleted, for the commit that deletes its document.
///
/// # Errors
/// Returns [`store::Error::Malformed`] for a model that Firestore cannot hold.
pub fn begin(uid: &Uid, now: Timestamp) -> Result<Write, store::Error> {
    let pending = DeletedUser {
        uid: Some(uid.clone()),
        state: ErasureState::Pending,
        deleted_at: now,
        due_at: Some(now.plus_seconds(SETTLING_SECS)),
        expires_at: None,
    };
    users::set_deleted(uid, &pending)
}

impl Erasure {
    /// An erasure on the caller's ports.
    #[must_use]
    pub fn new(store: Store, trail: Trail, accounts: Arc<dyn Accounts>) -> Self {
        Self {
            store,
            trail,
            accounts,
            vault: None,
        }
    }

    /// The same that also ends the user's credentials at their services, and deletes what was
    /// synced through them.
    #[must_use]
    pub fn with_vault(self, vault: Option<Vault>) -> Self {
        Self { vault, ..self }
    }

    /// Removes what refers to the deleted user, and last the account that it signed in with. It is
    /// done when nothing can come to refer to the user any more; until then it stays pending.
    ///
    /// A user that is not on record as deleted is left alone.
    ///
    /// # Errors
    /// Returns what failed; a repeat goes on where it stopped.
    pub async fn finish(
        &self,
        caller: &SystemPrincipal,
        uid: &Uid,
        now: Timestamp,
    ) -> Result<ErasureState, Error> {
        let deleted = self.store.find_deleted_user(uid).await?;
        let pending = deleted.filter(|user| user.value.state == ErasureState::Pending);
        let Some(DeletedUser { deleted_at, .. }) = pending.map(|user| user.value) else {
            return Ok(ErasureState::Done);
        };
        self.erase(caller, uid, now).await?;
        if now < deleted_at.plus_seconds(SETTLING_SECS) {
            return Ok(ErasureState::Pending);
        }
        let done = DeletedUser {
            uid: None,
            state: ErasureState::Done,
            deleted_at,
            due_at: None,
            expires_at: Some(now.plus_seconds(KEPT_SECS)),
        };
        self.store
            .commit(vec![users::set_deleted(uid, &done)?])
            .await?;
        Ok(ErasureState::Done)
    }

    /// Goes on with erasures that are due, and tells how many are done now. One that fails lets
    /// the others go first.
    ///
    /// # Errors
    /// Returns the database's error when they cannot be listed.
    pub async fn sweep(
        &self,
        caller: &SystemPrincipal,
        limit: u32,
        now: Timestamp,
    ) -> Result<usize, store::Error> {
        let mut done = 0;
        for user in self.store.list_due_erasures(caller, now, limit).await? {
            let Some(uid) = user.value.uid.clone() else {
                continue;
            };
            match self.finish(caller, &uid, now).await {
                Ok(state) => done += usize::from(state == ErasureState::Done),
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "erasure put off");
                    self.put_off(&uid, user, now).await;
                }
            }
        }
        Ok(done)
    }

    /// If this fails as well, the erasure is still due.
    async fn put_off(&self, uid: &Uid, mut user: Versioned<DeletedUser>, now: Timestamp) {
        user.value.due_at = Some(now.plus_seconds(RETRY_SECS));
        let put_off = match users::replace_deleted(uid, &user) {
            Ok(write) => self.store.commit(vec![write]).await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = put_off {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "erasure left to the next sweep");
        }
    }

    async fn erase(
        &self,
        caller: &SystemPrincipal,
        uid: &Uid,
        now: Timestamp,
    ) -> Result<(), Error> {
        for references in References::ALL {
            self.remove(references, caller, uid).await?;
        }
        let welcome = store::outbox::delete(&outbox::welcome_id(uid));
        self.store.commit(vec![welcome]).await?;
        self.trail.erase(caller, uid, now).await?;
        Ok(self.accounts.delete(uid).await?)
    }

    /// Until there are no references of this kind any more. What was left alone because somebody
    /// else changed it is read again; a document that stays as it is, because it is not where it
    /// says, ends the erasure for now.
    async fn remove(
        &self,
        references: References,
        caller: &SystemPrincipal,
        uid: &Uid,
    ) -> Result<(), Error> {
        let mut done = Vec::new();
        loop {
            let writes = self.removals(references, caller, uid).await?;
            if writes.is_empty() {
                return Ok(());
            }
            if writes == done {
                return Err(store::Error::Conflict.into());
            }
            self.commit(writes.clone()).await?;
            done = writes;
        }
    }

    /// The writes that remove the first batch of references.
    async fn removals(
        &self,
        references: References,
        caller: &SystemPrincipal,
        uid: &Uid,
    ) -> Result<Vec<Write>, Error> {
        let (store, page) = (&self.store, Page::first(references.batch()));
        match references {
            References::Integrations => {
                let owned = store.list_integrations_by_user(caller, uid, &page).await?;
                let mut writes = Vec::new();
                for integration in &owned.items {
                    writes.extend(self.clear(integration).await?);
                }
                if writes.is_empty() && !owned.items.is_empty() {
                    return Err(store::Error::Conflict.into());
                }
                Ok(writes)
            }
            References::Invitations => {
                let sent = store.list_invitations_by_user(caller, uid, &page).await?;
                Ok(sent.items.iter().map(invitations::delete).collect())
            }
            References::Triggers => {
                let fired = store.list_triggers_by_user(caller, uid, &page).await?;
                let fired = fired.items.iter().map(|trigger| &trigger.value);
                let forgotten = fired.map(triggers::forget_user);
                Ok(forgotten.collect::<Result<_, _>>()?)
            }
            References::Usage => {
                let caused = store.list_usage_entries_by_user(caller, uid, &page).await?;
                let forgotten = caused.items.into_iter().map(usage_ledger::forget_user);
                Ok(forgotten.collect::<Result<_, _>>()?)
            }
            References::Memories => {
                let known = store.list_memory_removals_of_user(caller, uid, page.limit);
                Ok(known.await?)
            }
            References::Conversations => {
                let held = store.list_session_removals_of_user(caller, uid, page.limit);
                Ok(held.await?)
            }
        }
    }

    /// The writes that delete an integration: none when somebody has connected it again meanwhile,
    /// whose it is now.
    async fn clear(&self, integration: &Versioned<Integration>) -> Result<Vec<Write>, Error> {
        let Some(vault) = &self.vault else {
            return Ok(integrations::delete_unchanged(integration).into());
        };
        let Integration { org_id, id, .. } = &integration.value;
        match vault.clear(org_id, id).await {
            Ok(cleared) => Ok(vault.removal(&cleared).await?),
            Err(vault::Error::NotConnected) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Somebody else may have deleted one of the documents meanwhile: the next look tells what is
    /// left.
    async fn commit(&self, writes: Vec<Write>) -> Result<(), store::Error> {
        match self.store.commit(writes).await {
            Err(error) if !error.is_lost_race() => Err(error),
            _ => Ok(()),
        }
    }
}
