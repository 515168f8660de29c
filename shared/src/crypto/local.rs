use async_trait::async_trait;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::Sha256;

use super::{Error, MacKey, SecretTag};

/// A key in this process's memory: for a developer's machine and for tests.
pub struct LocalMac {
    key: SecretString,
}

impl LocalMac {
    /// A key of any length (RFC 2104 section 2).
    #[must_use]
    pub fn new(key: SecretString) -> Self {
        Self { key }
    }
}

#[async_trait]
impl MacKey for LocalMac {
    fn version(&self) -> &'static str {
        "local"
    }

    async fn sign(&self, message: &[u8]) -> Result<SecretTag, Error> {
        let tag = hmac_sha256(self.key.expose_secret().as_bytes(), message);
        Ok(SecretBox::new(Box::new(tag)))
    }
}

/// HMAC-SHA256 (RFC 2104), which takes keys of any length.
pub(crate) fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; super::TAG_BYTES] {
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(key) else {
        unreachable!("HMAC takes keys of any length");
    };
    mac.chain_update(message).finalize().into_bytes().into()
}
