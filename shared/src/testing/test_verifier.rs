use std::{collections::HashMap, sync::Mutex};

use async_trait::async_trait;

use super::lock;
use crate::{
    auth::{Claims, Error, TokenVerifier},
    ids::Uid,
    models::Timestamp,
};

/// A verifier that knows some tokens by heart and refuses all others.
#[derive(Debug, Default)]
pub struct TestVerifier {
    claims: Mutex<HashMap<String, Claims>>,
}

impl TestVerifier {
    /// A verifier that refuses every token.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Has a token prove these claims.
    pub fn accept(&self, token: impl Into<String>, claims: Claims) {
        lock(&self.claims).insert(token.into(), claims);
    }
}

#[async_trait]
impl TokenVerifier for TestVerifier {
    async fn verify(&self, token: &str) -> Result<Claims, Error> {
        let claims = lock(&self.claims).get(token).cloned();
        claims.ok_or(Error::Signature)
    }
}

/// The claims of a user with a confirmed address at `example.com`.
#[must_use]
pub fn claims(uid: &Uid) -> Claims {
    let epoch = Timestamp::from(jiff::Timestamp::UNIX_EPOCH);
    Claims {
        uid: uid.clone(),
        email: Some(format!("{}@example.com", uid.as_str().to_lowercase())),
        email_verified: true,
        name: None,
        auth_time: epoch,
        issued_at: epoch,
        expires_at: Timestamp::from(jiff::Timestamp::MAX),
        sign_in_provider: Some("password".to_owned()),
    }
}
