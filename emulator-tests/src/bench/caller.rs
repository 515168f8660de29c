//! The ID tokens of callers, signed as Firebase signs them.

use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::json;
use shared::{
    auth::{Error, FetchedKeys, KeySet, KeySource},
    clock::{Clock, SystemClock},
    ids::Uid,
};

/// The variable with the keys of ID tokens, as a JSON Web Key Set.
pub(super) const KEYS: &str = "BENCH_ID_TOKEN_KEYS";

const KEY_ID: &str = "k1";
const KEYS_LAST: Duration = Duration::from_secs(3_600);

/// Where the modulus of a key of 2,048 bits is in its `RSAPublicKey`, whose exponent is 65,537
/// (<https://www.rfc-editor.org/rfc/rfc8017#appendix-A.1.1>).
const MODULUS: std::ops::Range<usize> = 9..265;
const EXPONENT: [u8; 3] = [1, 0, 1];
const LIFETIME_SECS: i64 = 3_600;

/// Who signs.
pub(super) struct Issuer {
    key: KeyPair,
    project_id: &'static str,
}

impl Issuer {
    pub(super) fn new(project_id: &'static str) -> Result<Self> {
        let key = KeyPair::generate(KeySize::Rsa2048).context("no key")?;
        Ok(Self { key, project_id })
    }

    /// A JSON Web Key Set.
    pub(super) fn keys(&self) -> Result<String> {
        let public = self.key.public_key().as_ref().get(MODULUS);
        let modulus = public.context("a key of another length")?;
        let key = json!({
            "kty": "RSA", "alg": "RS256", "use": "sig", "kid": KEY_ID,
            "n": encode(modulus),
            "e": encode(EXPONENT),
        });
        Ok(json!({ "keys": [key] }).to_string())
    }

    pub(super) fn token(&self, uid: &Uid) -> Result<String> {
        let now = SystemClock.now().as_second();
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": KEY_ID });
        let claims = json!({
            "iss": format!("https://securetoken.google.com/{}", self.project_id),
            "aud": self.project_id,
            "auth_time": now - 2,
            "iat": now - 1,
            "exp": now + LIFETIME_SECS,
            "sub": uid,
            "user_id": uid,
            "email": "bench@example.com",
            "email_verified": true,
            "firebase": { "identities": {}, "sign_in_provider": "password" },
        });
        let text = format!(
            "{}.{}",
            encode(header.to_string()),
            encode(claims.to_string())
        );
        let mut signature = vec![0; self.key.public_modulus_len()];
        let random = SystemRandom::new();
        self.key
            .sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
            .context("cannot sign")?;
        Ok(format!("{text}.{}", encode(signature)))
    }
}

/// The keys of an [`Issuer`], in another process.
pub(super) struct FixedKeys(pub(super) KeySet);

#[async_trait]
impl KeySource for FixedKeys {
    async fn fetch(&self) -> Result<FetchedKeys, Error> {
        Ok(FetchedKeys {
            keys: self.0.clone(),
            max_age: KEYS_LAST,
        })
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
