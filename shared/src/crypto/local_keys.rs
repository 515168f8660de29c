use std::{collections::BTreeMap, path::PathBuf};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    EncryptionKey, Error, cipher,
    encryption_key::{DataKey, UnwrappedKey, WrappedKey, data_key_of, fill_random},
};

/// How names of versions begin.
const PREFIX: &str = "local/";

/// An encryption key in a file, for a developer's machine and for tests:
///
/// ```json
/// { "primary": "2", "keys": { "1": "<32 bytes in base64>", "2": "…" } }
/// ```
///
/// The file is read each time, so that the key can be rotated while services run. A version that
/// is not there any more counts as destroyed.
pub struct LocalKeys {
    path: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    primary: String,
    keys: BTreeMap<String, SecretString>,
}

/// The file does not hold what it should.
#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error("the key file cannot be read")]
    Unreadable(#[source] std::io::Error),
    // A parser's message could quote a key.
    #[error("the key file is not of the form that is documented")]
    Malformed,
    #[error("the key file has no such version")]
    NoVersion,
    #[error("the wrapped key is not one that this key has made")]
    Foreign,
}

impl From<FileError> for Error {
    fn from(error: FileError) -> Self {
        Self::Refused(Box::new(error))
    }
}

impl LocalKeys {
    /// The keys in a file.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Whether the file is there and holds keys.
    pub(super) fn check(&self) -> Result<(), String> {
        let checked = self.load().and_then(|file| {
            for version in file.keys.keys() {
                file.key(version)?;
            }
            file.key(&file.primary).map(drop)
        });
        checked.map_err(|error| error.to_string())
    }

    fn load(&self) -> Result<KeyFile, FileError> {
        let content = std::fs::read(&self.path).map_err(FileError::Unreadable)?;
        let content = Zeroizing::new(content);
        serde_json::from_slice(&content).map_err(|_| FileError::Malformed)
    }
}

impl KeyFile {
    fn key(&self, version: &str) -> Result<DataKey, FileError> {
        let key = self.keys.get(version).ok_or(FileError::NoVersion)?;
        let key = STANDARD.decode(key.expose_secret());
        let key = Zeroizing::new(key.map_err(|_| FileError::Malformed)?);
        data_key_of(&key).ok_or(FileError::Malformed)
    }
}

#[async_trait]
impl EncryptionKey for LocalKeys {
    async fn wrap_key(
        &self,
        data_key: &DataKey,
        associated_data: &[u8],
    ) -> Result<WrappedKey, Error> {
        let file = self.load()?;
        let key = file.key(&file.primary)?;
        let mut nonce = [0; cipher::NONCE_BYTES];
        fill_random(&mut nonce)?;
        let data_key = data_key.expose_secret();
        let ciphertext = cipher::encrypt(&key, &nonce, associated_data, data_key);
        let ciphertext = ciphertext.ok_or(FileError::Foreign)?;
        Ok(WrappedKey {
            version: format!("{PREFIX}{}", file.primary),
            bytes: [&nonce[..], &ciphertext].concat(),
        })
    }

    async fn unwrap_key(
        &self,
        wrapped: &WrappedKey,
        associated_data: &[u8],
    ) -> Result<UnwrappedKey, Error> {
        let file = self.load()?;
        let version = version_of(&wrapped.version)?;
        let key = file.key(version)?;
        let parts = wrapped.bytes.split_first_chunk();
        let opened = parts.and_then(|(nonce, ciphertext)| {
            cipher::decrypt(&key, nonce, associated_data, ciphertext)
        });
        let data_key = opened.and_then(|opened| data_key_of(&opened));
        Ok(UnwrappedKey {
            data_key: data_key.ok_or(FileError::Foreign)?,
            is_primary: version == file.primary,
        })
    }

    async fn is_destroyed(&self, version: &str) -> Result<bool, Error> {
        let version = version_of(version)?;
        Ok(!self.load()?.keys.contains_key(version))
    }
}

fn version_of(name: &str) -> Result<&str, FileError> {
    name.strip_prefix(PREFIX).ok_or(FileError::Foreign)
}
