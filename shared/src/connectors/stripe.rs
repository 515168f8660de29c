//! The customer's own Stripe account (<https://docs.stripe.com/api>).
//!
//! Our billing speaks to Stripe by `async-stripe`. Here each call brings a key of its own and the
//! few types are ours, so it is plain form-encoded REST.

mod calls;
mod wire;

use async_trait::async_trait;
use reqwest::{Client, RequestBuilder, StatusCode, header};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::wire::{AccountBody, ErrorBody};
use super::{
    Account, Connector, Credentials, Endpoint, Error, Request, Revocation,
    http::{Answer, Nature, bearer, send},
    input,
    label::mask,
};
use crate::{
    config::{self, Env},
    models::IntegrationService,
};

/// The version that the contract of the tests was made from
/// (<https://docs.stripe.com/api/versioning>).
const VERSION: &str = "2026-10-28.endive";

/// Kinds of secret keys (<https://docs.stripe.com/keys>).
const PREFIXES: [&str; 4] = ["sk_live_", "sk_test_", "rk_live_", "rk_test_"];

/// Names of accounts are shown up to here.
const MAX_NAME_CHARS: usize = 60;

/// Stripe, for any account whose key is given.
pub struct Stripe {
    endpoint: Endpoint,
    client: Client,
}

impl Stripe {
    /// `CONNECTOR_STRIPE_URL`: a stub in Stripe's place; development only.
    ///
    /// # Errors
    /// Returns the variable when it is invalid or not allowed here.
    pub fn load(env: &Env, client: Client) -> Result<Self, config::Error> {
        let endpoint = Endpoint::load(env, "CONNECTOR_STRIPE_URL", "https://api.stripe.com")?;
        Ok(Self::new(endpoint, client))
    }

    /// Stripe at an address, called by `client`'s connections.
    #[must_use]
    pub fn new(endpoint: Endpoint, client: Client) -> Self {
        Self { endpoint, client }
    }
}

#[async_trait]
impl Connector for Stripe {
    async fn check(&self, credentials: &Credentials) -> Result<Account, Error> {
        let key = credentials.key()?;
        let session = Session::new(self, key);
        let account = session.get::<AccountBody>("/v1/account", &[]).await;
        let account = match account {
            // A restricted key need not be allowed to read the account; an unknown one is a 401.
            Err(Error::Forbidden { .. }) => AccountBody::default(),
            account => account?,
        };
        let masked = mask(key, &PREFIXES);
        Ok(Account {
            label: match account.name() {
                Some(name) => format!("{name} ({masked})"),
                None => masked,
            },
            id: account.id,
            scopes: Vec::new(),
        })
    }

    async fn perform(
        &self,
        credentials: &Credentials,
        request: &Request<'_>,
    ) -> Result<Value, Error> {
        let action = input::action(request, IntegrationService::Stripe)?;
        let session = Session::new(self, credentials.key()?);
        calls::perform(&session, action, request).await
    }

    /// Keys are rolled in Stripe's dashboard only.
    async fn revoke(&self, _: &Credentials) -> Result<Revocation, Error> {
        Ok(Revocation::NotPossible)
    }
}

/// Calls with one key.
struct Session<'a> {
    stripe: &'a Stripe,
    key: &'a SecretString,
}

impl<'a> Session<'a> {
    fn new(stripe: &'a Stripe, key: &'a SecretString) -> Self {
        Self { stripe, key }
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, Error> {
        let request = self.stripe.client.get(self.url(path)).query(query);
        self.answer(request, Nature::Read).await
    }

    /// The key makes a repeat within 24 hours harmless
    /// (<https://docs.stripe.com/api/idempotent_requests>).
    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        form: &[(&str, String)],
        idempotency_key: &str,
    ) -> Result<T, Error> {
        let request = self.stripe.client.post(self.url(path));
        let request = request
            .header("Idempotency-Key", idempotency_key)
            .form(form);
        self.answer(request, Nature::Write).await
    }

    async fn answer<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        nature: Nature,
    ) -> Result<T, Error> {
        let request = request
            .header(header::AUTHORIZATION, bearer(self.key)?)
            .header("Stripe-Version", VERSION)
            .timeout(self.stripe.endpoint.timeout);
        let answer = send(request, nature).await?;
        if answer.status.is_success() {
            answer.json()
        } else {
            Err(from_refusal(&answer))
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.stripe.endpoint.base_url)
    }
}

/// <https://docs.stripe.com/error-low-level>. The message is passed over: it quotes what was sent.
fn from_refusal(answer: &Answer) -> Error {
    let error = answer.json::<ErrorBody>().unwrap_or_default().error;
    let reason = error.code.as_deref().or(error.kind.as_deref());
    let status = answer.status;
    let by_status = matches!(status, StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS);
    let is_transient = match answer.header("stripe-should-retry") {
        Some("true") => true,
        // What failed at Stripe's may have happened, whatever a repeat would bring.
        Some("false") => status.is_server_error(),
        _ => by_status || status.is_server_error(),
    };
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => answer.refusal(reason),
        StatusCode::TOO_MANY_REQUESTS if is_transient => answer.rate_limited(),
        _ if is_transient => answer.failed(),
        _ => answer.refused(reason),
    }
}
