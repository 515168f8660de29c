//! The end of an account: whatever refers to a deleted user is removed or made pseudonymous.

use std::sync::Arc;

use crate::{
    audit::{self, Trail},
    identity::{self, Accounts},
    ids::Uid,
    models::{DeletedUser, ErasureState, SystemPrincipal, Timestamp},
    outbox,
    retry::Transient,
    store::{self, Page, Store, Write, integrations, triggers, users},
};

/// How long it is remembered that an account was deleted: longer than any ID token is valid, and
/// than a sign-up event may be on its way
/// (<https://cloud.google.com/pubsub/docs/subscription-properties#message_retention>).
const KEPT_SECS: i64 = 31 * 24 * 3_600;

/// Documents read and changed at once.
const BATCH: u32 = 200;

/// Why an erasure is not finished; it is pending and goes on later.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database failed.
    #[error("the user's documents cannot be erased")]
    Store(#[from] store::Error),
    /// The audit trail cannot be changed.
    #[error("the user's audit records cannot be erased")]
    Audit(#[from] audit::Error),
    /// The account that the user signs in with cannot be ended.
    #[error("the keeper of the accounts did not do what was asked")]
    Account(#[from] identity::Error),
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient() || error.is_lost_race(),
            Self::Audit(error) => error.is_transient() || error.is_lost_race(),
            Self::Account(error) => error.is_transient(),
        }
    }
}

/// Finishes what the deletion of an account has begun. Every step can be repeated.
#[derive(Clone)]
pub struct Erasure {
    store: Store,
    trail: Trail,
    accounts: Arc<dyn Accounts>,
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
        expires_at: now.plus_seconds(KEPT_SECS),
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
        }
    }

    /// Removes what refers to the deleted user, and last the account that it signed in with.
    ///
    /// # Errors
    /// Returns what failed; a repeat goes on where it stopped.
    pub async fn finish(
        &self,
        caller: &SystemPrincipal,
        uid: &Uid,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.delete_integrations(caller, uid).await?;
        self.clear_triggers(caller, uid).await?;
        let welcome = store::outbox::delete(&outbox::welcome_id(uid));
        self.store.commit(vec![welcome]).await?;
        self.trail.erase(caller, uid, now).await?;
        self.accounts.delete(uid).await?;
        let done = DeletedUser {
            uid: None,
            state: ErasureState::Done,
            deleted_at: now,
            expires_at: now.plus_seconds(KEPT_SECS),
        };
        self.store
            .commit(vec![users::set_deleted(uid, &done)?])
            .await?;
        Ok(())
    }

    /// Goes on with erasures that were not finished, and tells how many are now.
    ///
    /// # Errors
    /// Returns the database's error when they cannot be listed.
    pub async fn sweep(
        &self,
        caller: &SystemPrincipal,
        limit: u32,
        now: Timestamp,
    ) -> Result<usize, store::Error> {
        let mut finished = 0;
        for user in self.store.list_pending_erasures(caller, limit).await? {
            let Some(uid) = &user.uid else { continue };
            match self.finish(caller, uid, now).await {
                Ok(()) => finished += 1,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "erasure left to the next sweep");
                }
            }
        }
        Ok(finished)
    }

    /// Their credentials are the user's, not the organization's.
    async fn delete_integrations(
        &self,
        caller: &SystemPrincipal,
        uid: &Uid,
    ) -> Result<(), store::Error> {
        let page = Page::first(BATCH);
        loop {
            let owned = self
                .store
                .list_integrations_by_user(caller, uid, &page)
                .await?;
            if owned.items.is_empty() {
                return Ok(());
            }
            let ids = owned.items.iter().map(|integration| &integration.id);
            self.store
                .commit(ids.flat_map(integrations::delete).collect())
                .await?;
        }
    }

    /// The organization keeps its runs; who started them is forgotten.
    async fn clear_triggers(
        &self,
        caller: &SystemPrincipal,
        uid: &Uid,
    ) -> Result<(), store::Error> {
        let page = Page::first(BATCH);
        loop {
            let mut fired = self
                .store
                .list_triggers_by_user(caller, uid, &page)
                .await?
                .items;
            if fired.is_empty() {
                return Ok(());
            }
            fired
                .iter_mut()
                .for_each(|trigger| trigger.source.uid = None);
            let writes: Result<_, store::Error> = fired.iter().map(triggers::replace).collect();
            self.store.commit(writes?).await?;
        }
    }
}
