//! The integration hub: where the credentials of connected services live, and the only code that
//! opens them. What wants something of a service says what, and gets the answer, never the key.

mod error;

use async_trait::async_trait;
use serde_json::Value;

pub use error::Error;

use crate::{
    actions::Action,
    ids::{IntegrationId, OrgId},
    store,
};

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
    store: store::Store,
}

impl Vault {
    /// A hub of integrations in the store.
    #[must_use]
    pub fn new(store: store::Store) -> Self {
        Self { store }
    }

    /// Has the connected service carry out an action.
    ///
    /// # Errors
    /// Returns [`Error`].
    pub async fn perform(&self, call: &Call<'_>) -> Result<Value, Error> {
        let _ = self.store.has_integration(call.org_id).await?;
        Err(Error::NotConnected)
    }
}

#[async_trait]
impl Actions for Vault {
    async fn perform(&self, call: &Call<'_>) -> Result<Value, Error> {
        Self::perform(self, call).await
    }
}
