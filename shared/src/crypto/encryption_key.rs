use async_trait::async_trait;
use rand::{TryRngCore, rngs::OsRng};
use secrecy::{ExposeSecretMut, SecretBox};

use super::Error;

/// Bytes of a data key: AES-256.
pub const DATA_KEY_BYTES: usize = 32;

/// A key that seals one text. It is wiped when it is dropped, and never shown.
pub type DataKey = SecretBox<[u8; DATA_KEY_BYTES]>;

/// A data key as an encryption key has wrapped it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    /// The version of the encryption key that did it.
    pub version: String,
    /// What only that version can unwrap.
    pub bytes: Vec<u8>,
}

/// A data key that was unwrapped.
#[derive(Debug)]
pub struct UnwrappedKey {
    /// The data key.
    pub data_key: DataKey,
    /// Whether the version that had wrapped it is the one that wraps now.
    pub is_primary: bool,
}

/// A key that wraps data keys and is used without being seen. It has versions: the primary one
/// wraps, and every one that is enabled unwraps what it has wrapped.
#[async_trait]
pub trait EncryptionKey: Send + Sync {
    /// Wraps a data key; only the same associated data will unwrap it.
    async fn wrap_key(
        &self,
        data_key: &DataKey,
        associated_data: &[u8],
    ) -> Result<WrappedKey, Error>;

    /// Unwraps a data key.
    async fn unwrap_key(
        &self,
        wrapped: &WrappedKey,
        associated_data: &[u8],
    ) -> Result<UnwrappedKey, Error>;

    /// Whether a version is gone for good, with all that it has wrapped. One that is disabled, or
    /// only scheduled to be destroyed, may come back.
    async fn is_destroyed(&self, version: &str) -> Result<bool, Error>;
}

/// Bytes from the operating system's generator.
pub(super) fn fill_random(bytes: &mut [u8]) -> Result<(), Error> {
    let filled = OsRng.try_fill_bytes(bytes);
    filled.map_err(|error| Error::Unavailable(Box::new(error)))
}

/// A data key that was never used.
pub(super) fn fresh_data_key() -> Result<DataKey, Error> {
    let mut data_key = DataKey::default();
    fill_random(data_key.expose_secret_mut())?;
    Ok(data_key)
}

/// A data key from what was unwrapped, if it has the length of one.
pub(super) fn data_key_of(bytes: &[u8]) -> Option<DataKey> {
    let is_whole = bytes.len() == DATA_KEY_BYTES;
    is_whole.then(|| DataKey::init_with_mut(|data_key| data_key.copy_from_slice(bytes)))
}
