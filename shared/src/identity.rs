//! Accounts of Firebase Authentication, as their project's owner handles them.

mod error;
mod toolkit;

use async_trait::async_trait;

pub use error::Error;
pub use toolkit::IdentityToolkit;

use crate::ids::Uid;

/// Someone who keeps the accounts that users sign in with. Every call can be repeated.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Ends all sessions that began before `valid_since`: their refresh tokens give no ID token
    /// any more.
    async fn revoke_sessions(&self, uid: &Uid, valid_since: jiff::Timestamp) -> Result<(), Error>;

    /// Deletes the account; one that is gone stays gone.
    async fn delete(&self, uid: &Uid) -> Result<(), Error>;
}
