use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
};

use async_trait::async_trait;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::lock;
use crate::connectors::{Account, Connector, Credentials, Error, Request, Revocation};

/// A service that knows keys and access tokens, and does everything for them.
#[derive(Default)]
pub struct FakeService {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    accounts: HashMap<String, Account>,
    failures: VecDeque<Error>,
    performed: Vec<ServiceCall>,
    checks: usize,
    revoked: Vec<String>,
    does_not_revoke: bool,
    ends_nothing: bool,
}

/// A call that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceCall {
    /// The key or the access token that came with it.
    pub secret: String,
    /// The action.
    pub action: String,
    /// Equal for every attempt.
    pub idempotency_key: String,
}

impl FakeService {
    /// A service that knows nobody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Has a key or an access token be one of an account.
    pub fn accept(&self, secret: &str, account: &Account) {
        let mut state = lock(&self.state);
        state.accounts.insert(secret.to_owned(), account.clone());
    }

    /// Has a key or an access token be worthless.
    pub fn refuse(&self, secret: &str) {
        lock(&self.state).accounts.remove(secret);
    }

    /// Whose a key or an access token is, if it is anybody's.
    #[must_use]
    pub fn account_of(&self, secret: &str) -> Option<Account> {
        lock(&self.state).accounts.get(secret).cloned()
    }

    /// Has the next calls fail, one with each error.
    pub fn fail_next(&self, errors: impl IntoIterator<Item = Error>) {
        lock(&self.state).failures.extend(errors);
    }

    /// Has revocations fail, until it is switched off.
    pub fn fail_revocations(&self, fail: bool) {
        lock(&self.state).does_not_revoke = fail;
    }

    /// Has the service offer no revocation.
    pub fn offer_no_revocation(&self) {
        lock(&self.state).ends_nothing = true;
    }

    /// What was carried out, oldest first.
    #[must_use]
    pub fn performed(&self) -> Vec<ServiceCall> {
        lock(&self.state).performed.clone()
    }

    /// How often somebody asked whose credentials it has.
    #[must_use]
    pub fn checks(&self) -> usize {
        lock(&self.state).checks
    }

    /// Keys and refresh tokens that were revoked, oldest first.
    #[must_use]
    pub fn revoked(&self) -> Vec<String> {
        lock(&self.state).revoked.clone()
    }
}

#[async_trait]
impl Connector for FakeService {
    async fn check(&self, credentials: &Credentials) -> Result<Account, Error> {
        tokio::task::yield_now().await;
        let mut state = lock(&self.state);
        state.checks += 1;
        let account = state.accounts.get(&secret(credentials));
        account.cloned().ok_or(Error::Unauthorized)
    }

    async fn perform(
        &self,
        credentials: &Credentials,
        request: &Request<'_>,
    ) -> Result<Value, Error> {
        tokio::task::yield_now().await;
        let mut state = lock(&self.state);
        if let Some(error) = state.failures.pop_front() {
            return Err(error);
        }
        let secret = secret(credentials);
        if !state.accounts.contains_key(&secret) {
            return Err(Error::Unauthorized);
        }
        state.performed.push(ServiceCall {
            secret,
            action: request.action.to_owned(),
            idempotency_key: request.idempotency_key.to_owned(),
        });
        Ok(json!({ "done": true }))
    }

    async fn revoke(&self, credentials: &Credentials) -> Result<Revocation, Error> {
        tokio::task::yield_now().await;
        let mut state = lock(&self.state);
        if state.does_not_revoke {
            return Err(Error::Rejected {
                status: 400,
                reason: None,
            });
        }
        if state.ends_nothing {
            return Ok(Revocation::NotPossible);
        }
        let secret = match credentials {
            Credentials::Google(tokens) => tokens.refresh_token.expose_secret().to_owned(),
            other => secret(other),
        };
        state.revoked.push(secret);
        Ok(Revocation::Ended)
    }
}

fn secret(credentials: &Credentials) -> String {
    let secret = match credentials {
        Credentials::Google(tokens) => &tokens.access_token,
        Credentials::Key(key) => key,
        Credentials::GithubApp(app) => &app.private_key,
        Credentials::Twilio(account) => &account.secret,
    };
    secret.expose_secret().to_owned()
}
