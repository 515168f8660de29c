//! The services that an organization can connect: one adapter each, behind one port. They are given
//! credentials, and keep none.
//!
#![doc = include_str!("connectors/README.md")]

mod credentials;
mod error;
mod github;
pub mod google;
mod http;
mod input;
mod label;
mod llm_keys;
mod mail_address;
mod sendgrid;
mod set;
mod stripe;
mod twilio;

use async_trait::async_trait;
use serde_json::Value;

pub use credentials::{Credentials, GithubApp, GoogleTokens, TwilioAccount};
pub use error::Error;
pub use github::Github;
pub use http::Endpoint;
pub use llm_keys::{LlmKeys, LlmVendor};
pub use sendgrid::CustomerSendGrid;
pub use set::Connectors;
pub use stripe::Stripe;
pub use twilio::Twilio;

/// Whose credentials they are, as the service itself tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// What the service knows it by, the same for all credentials of it: `sub` of Google, `acct_…`
    /// of Stripe; none where it does not tell.
    pub id: Option<String>,
    /// For people, and masked: `a…@example.com`, `sk_live_…4242`.
    pub label: String,
    /// Scopes that the credentials have, where the service tells them.
    pub scopes: Vec<String>,
}

/// An action with all that it is told.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// One of [`crate::actions::all`], of the connector's service.
    pub action: &'a str,
    /// Its input, by the names of its fields.
    pub input: &'a Value,
    /// Equal for every attempt at the same thing: where the service knows such keys, or lets one be
    /// found again, it happens once.
    pub idempotency_key: &'a str,
}

/// What came of a revocation that has not failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// The credentials are worthless: the service has ended them, or did not know them any more.
    Ended,
    /// The service ends such credentials for people only: they stay good until one does.
    NotPossible,
}

/// A service that can be connected.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Asks the service whether it takes the credentials, and whose they are.
    async fn check(&self, credentials: &Credentials) -> Result<Account, Error>;

    /// Carries out an action, once: repeats are up to the caller, who knows what they cost.
    async fn perform(
        &self,
        credentials: &Credentials,
        request: &Request<'_>,
    ) -> Result<Value, Error>;

    /// Makes the credentials worthless, where the service can do that.
    async fn revoke(&self, credentials: &Credentials) -> Result<Revocation, Error>;
}
