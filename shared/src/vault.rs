//! The integration hub: where the credentials of connected services live, and the only code that
//! opens them. What wants something of a service says what, and gets the answer, never the key.

mod breakage;
mod config;
mod connect;
mod credentials;
mod disconnect;
mod error;
mod llm_keys;
mod open;
mod perform;
mod renew;
mod sealed;
mod throttle;
mod workspace;

use async_trait::async_trait;
use serde_json::Value;

use self::throttle::Throttle;
pub use self::{
    config::VaultConfig,
    connect::{Connecting, Connection},
    disconnect::{Cleared, forget_batch},
    error::Error,
    sealed::{SealedFields, SealedModel},
    workspace::{
        DriveFile, FileChange, FileChanges, FilePage, MAX_MAIL_BYTES, MailChanges, MailPage,
        MailTouch, MailWatch, Mailbox, NextFiles, RawMail, Since, SyncAccount, Workspace,
    },
};
use crate::{
    actions::Action,
    clock::SharedClock,
    connectors::{Connectors, google::oauth::GoogleOAuth},
    crypto::Envelope,
    ids::{IntegrationId, OrgId},
    models::Timestamp,
    store::Store,
};

/// The cause of an integration whose credentials nobody can open any more.
pub const KEY_DESTROYED: &str = "key_destroyed";

/// An action and for whom it is.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The organization whose credentials are used.
    pub org_id: &'a OrgId,
    /// Which of its integrations; without it, the only one of the action's service.
    pub integration_id: Option<&'a IntegrationId>,
    /// What to do.
    pub action: &'static Action,
    /// What it is told.
    pub input: &'a Value,
    /// Equal for every attempt.
    pub idempotency_key: &'a str,
    /// Whether it must not be tried again when nobody knows whether it was done.
    pub at_most_once: bool,
}

/// What has actions carried out: the hub, for those who need no more of it.
#[async_trait]
pub trait Actions: Send + Sync {
    /// Has the connected service carry out an action.
    ///
    /// # Errors
    /// Returns [`Error`].
    async fn perform(&self, call: &Call<'_>) -> Result<Value, Error>;
}

/// The hub.
#[derive(Clone)]
pub struct Vault {
    store: Store,
    envelope: Envelope,
    connectors: Connectors,
    google: Option<GoogleOAuth>,
    clock: SharedClock,
    throttle: Throttle,
}

impl Vault {
    /// A hub of the integrations in a store. Without `google`, nobody renews Google's tokens.
    #[must_use]
    pub fn new(
        store: Store,
        envelope: Envelope,
        connectors: Connectors,
        google: Option<GoogleOAuth>,
        clock: SharedClock,
    ) -> Self {
        Self {
            store,
            envelope,
            connectors,
            google,
            clock,
            throttle: Throttle::default(),
        }
    }

    /// Google's OAuth, if this application is known to Google.
    #[must_use]
    pub fn google(&self) -> Option<&GoogleOAuth> {
        self.google.as_ref()
    }

    fn now(&self) -> Timestamp {
        self.clock.now().into()
    }
}

/// Stands in for the hub where none is configured: no service is connected.
#[derive(Clone, Copy, Debug)]
pub struct NoVault;

#[async_trait]
impl Actions for NoVault {
    async fn perform(&self, _: &Call<'_>) -> Result<Value, Error> {
        Err(Error::NotConnected)
    }
}

#[async_trait]
impl Actions for Vault {
    async fn perform(&self, call: &Call<'_>) -> Result<Value, Error> {
        Self::perform(self, call).await
    }
}
