//! Who a GitHub App is to GitHub
//! (<https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app>).

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::wire::TokenBody;
use crate::{
    clock::SharedClock,
    connectors::{Error, GithubApp},
    models::Timestamp,
};

/// GitHub's clock may be behind ours
/// (<https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>).
const ISSUED_BEFORE_SECS: i64 = 60;

/// GitHub takes 10 minutes at most.
const LIFE_SECS: i64 = 9 * 60;

/// A kept token is not used in the last minutes of its hour.
const SPARE_SECS: i64 = 5 * 60;

/// More tokens than this are not kept.
const MAX_KEPT: usize = 1_000;

/// The tokens of installations, in memory until shortly before their end.
pub(super) struct InstallationTokens {
    clock: SharedClock,
    kept: Mutex<HashMap<Owner, Kept>>,
}

/// Whose a token is. The private key is a part of it: who only knows the numbers of somebody
/// else's app gets no token of its.
#[derive(PartialEq, Eq, Hash)]
struct Owner {
    app_id: String,
    installation_id: u64,
    key_hash: [u8; 32],
}

struct Kept {
    token: SecretString,
    expires_at: Timestamp,
}

#[derive(Serialize)]
struct Claims<'a> {
    iat: i64,
    exp: i64,
    iss: &'a str,
}

impl InstallationTokens {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            kept: Mutex::default(),
        }
    }

    /// What says that we are the app. A key that cannot sign is no key of an app's.
    pub(super) fn sign(&self, app: &GithubApp) -> Result<SecretString, Error> {
        let now = self.clock.now().as_second();
        let claims = Claims {
            iat: now - ISSUED_BEFORE_SECS,
            exp: now + LIFE_SECS,
            iss: &app.app_id,
        };
        let pem = app.private_key.expose_secret().as_bytes();
        EncodingKey::from_rsa_pem(pem)
            .and_then(|key| jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key))
            .map(SecretString::from)
            .map_err(|_| Error::Unauthorized)
    }

    /// The token that is kept, if it is good for a while.
    pub(super) fn get(&self, app: &GithubApp) -> Option<SecretString> {
        let kept = self.lock();
        let found = kept.get(&Owner::of(app))?;
        self.is_good(found).then(|| found.token.clone())
    }

    /// Keeps a new token.
    pub(super) fn keep(&self, app: &GithubApp, created: TokenBody) -> Result<SecretString, Error> {
        let token = created.token.clone();
        let created = Kept {
            token: created.token,
            expires_at: created.expires_at,
        };
        let mut kept = self.lock();
        kept.retain(|_, kept| self.is_good(kept));
        if kept.len() < MAX_KEPT {
            kept.insert(Owner::of(app), created);
        }
        Ok(token)
    }

    /// Keeps the token no longer.
    pub(super) fn forget(&self, app: &GithubApp) {
        self.lock().remove(&Owner::of(app));
    }

    fn is_good(&self, kept: &Kept) -> bool {
        kept.expires_at > Timestamp::from(self.clock.now()).plus_seconds(SPARE_SECS)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Owner, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Owner {
    fn of(app: &GithubApp) -> Self {
        Self {
            app_id: app.app_id.clone(),
            installation_id: app.installation_id,
            key_hash: Sha256::digest(app.private_key.expose_secret()).into(),
        }
    }
}
