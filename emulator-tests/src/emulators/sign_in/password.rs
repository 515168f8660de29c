//! Passwords at rest: PBKDF2 with a salt per account.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// Few, so that fifty people can sign up at once in a debug build.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(10_000).unwrap();
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// A salted hash, base64.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PasswordHash {
    salt: String,
    hash: String,
}

impl PasswordHash {
    pub(super) fn of(password: &str) -> Self {
        let salt: [u8; SALT_BYTES] = rand::random();
        let mut hash = [0; HASH_BYTES];
        let algorithm = PBKDF2_HMAC_SHA256;
        pbkdf2::derive(algorithm, ITERATIONS, &salt, password.as_bytes(), &mut hash);
        Self {
            salt: STANDARD.encode(salt),
            hash: STANDARD.encode(hash),
        }
    }

    /// Whether `password` is the one; a hash that does not decode matches nothing.
    pub(super) fn matches(&self, password: &str) -> bool {
        let (Ok(salt), Ok(hash)) = (STANDARD.decode(&self.salt), STANDARD.decode(&self.hash))
        else {
            return false;
        };
        let algorithm = PBKDF2_HMAC_SHA256;
        pbkdf2::verify(algorithm, ITERATIONS, &salt, password.as_bytes(), &hash).is_ok()
    }
}
