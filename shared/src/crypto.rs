//! Keys that stay with their keeper: this process asks for what they make, never for them.

mod cipher;
mod cloud_kms;
mod config;
mod encryption_key;
pub mod envelope;
mod local;
mod local_keys;

use async_trait::async_trait;
use secrecy::SecretBox;

pub use cloud_kms::{CloudKmsEncryption, CloudKmsMac};
pub use config::{EncryptionKeyConfig, MacConfig};
pub use encryption_key::{DATA_KEY_BYTES, DataKey, EncryptionKey, UnwrappedKey, WrappedKey};
pub use envelope::{Envelope, EnvelopeError, Place};
pub use local::LocalMac;
pub(crate) use local::hmac_sha256;
pub use local_keys::LocalKeys;

use crate::retry::Transient;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Bytes of an HMAC-SHA256 tag.
pub const TAG_BYTES: usize = 32;

/// An HMAC-SHA256 tag that serves as a key or a token itself.
pub type SecretTag = SecretBox<[u8; TAG_BYTES]>;

/// Why a key was not used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The keeper of the key cannot be reached or is overloaded.
    #[error("the key cannot be reached")]
    Unavailable(#[source] BoxError),
    /// The keeper refuses for good: no such key version, or no permission to use it.
    #[error("the key cannot be used")]
    Refused(#[source] BoxError),
    /// What the keeper answered was damaged on its way.
    #[error("the key's answer is damaged")]
    Damaged,
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Damaged)
    }
}

/// A key for HMAC-SHA256 (RFC 2104) that is used without being seen.
#[async_trait]
pub trait MacKey: Send + Sync {
    /// Which key and version this is, for records that must be verifiable later.
    fn version(&self) -> &str;

    /// The tag of `message`.
    async fn sign(&self, message: &[u8]) -> Result<SecretTag, Error>;
}

/// A message that the same parts always give, and other parts never: each part is preceded by its
/// length, so that no part can run into the next.
#[must_use]
pub fn message(parts: &[&[u8]]) -> Vec<u8> {
    let mut message = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        message.extend((part.len() as u64).to_be_bytes());
        message.extend(*part);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_boundaries_change_the_message() {
        assert_ne!(message(&[b"ab", b"c"]), message(&[b"a", b"bc"]));
        assert_ne!(message(&[b"a"]), message(&[b"a", b""]));
    }
}
