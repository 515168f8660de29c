//! Texts that are sealed with a key of their own, which Cloud KMS wraps.

mod cache;
mod layout;

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use self::{
    cache::Cache,
    layout::{FORMAT, Layout},
};
use super::{
    BoxError, Error, cipher,
    encryption_key::{DataKey, EncryptionKey, fill_random, fresh_data_key},
    message,
};
use crate::{clock::SharedClock, retry::Transient};

/// The longest text: no document of Firestore can hold more
/// (<https://firebase.google.com/docs/firestore/quotas#limits>).
const MAX_TEXT_BYTES: usize = 1 << 20;

/// Where a sealed text belongs. It cannot be opened anywhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The organization.
    pub org_id: &'a str,
    /// Its integration.
    pub integration_id: &'a str,
    /// The integration's service, as documents name it.
    pub service: &'a str,
    /// The field that holds the text.
    pub field: &'a str,
}

impl Place<'_> {
    /// What both layers are bound to.
    fn associated_data(&self) -> Vec<u8> {
        message(&[
            &[FORMAT],
            self.org_id.as_bytes(),
            self.integration_id.as_bytes(),
            self.field.as_bytes(),
            self.service.as_bytes(),
        ])
    }
}

/// Why a text was not sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// The keeper of the key cannot be reached or is overloaded.
    #[error("the key cannot be reached")]
    Unavailable(#[source] BoxError),
    /// It will not work, now or later; which part is at fault is not told.
    #[error("the sealed text cannot be opened")]
    Unopenable,
}

impl Transient for EnvelopeError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<Error> for EnvelopeError {
    fn from(error: Error) -> Self {
        if error.is_transient() {
            return Self::Unavailable(Box::new(error));
        }
        // Who asked must not learn it, but who runs the service must.
        tracing::error!(error = &error as &dyn std::error::Error, "key refused");
        Self::Unopenable
    }
}

/// Seals texts and opens them.
#[derive(Clone)]
pub struct Envelope {
    key: Arc<dyn EncryptionKey>,
    cache: Arc<Cache>,
}

impl Envelope {
    /// Texts below an encryption key.
    #[must_use]
    pub fn new(key: Arc<dyn EncryptionKey>, clock: SharedClock) -> Self {
        let cache = Arc::new(Cache::new(clock));
        Self { key, cache }
    }

    /// Seals a text for a place, with a data key and a nonce that were never used.
    ///
    /// # Errors
    /// Returns [`EnvelopeError::Unopenable`] also for what would be too long for a document, and
    /// when the key may not be used.
    pub async fn seal(&self, plaintext: &[u8], place: &Place<'_>) -> Result<String, EnvelopeError> {
        let associated_data = place.associated_data();
        let data_key = fresh_data_key()?;
        let wrapped = self.key.wrap_key(&data_key, &associated_data).await?;
        let mut nonce = [0; cipher::NONCE_BYTES];
        fill_random(&mut nonce)?;
        let bound = text_data(&associated_data, &wrapped.version);
        let sealed = cipher::encrypt(&data_key, &nonce, &bound, plaintext).and_then(|ciphertext| {
            let layout = Layout {
                wrapped,
                nonce,
                ciphertext,
            };
            layout.to_bytes()
        });
        let text = sealed.map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        let text = text.filter(|text| text.len() <= MAX_TEXT_BYTES);
        text.ok_or(EnvelopeError::Unopenable)
    }

    /// Opens a text that was sealed for a place.
    ///
    /// # Errors
    /// Returns [`EnvelopeError`].
    pub async fn open(
        &self,
        sealed: &str,
        place: &Place<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        let layout = parse(sealed)?;
        let associated_data = place.associated_data();
        let name = Cache::name(&layout.wrapped, &associated_data);
        if let Some(data_key) = self.cache.get(&name) {
            return decrypt(&layout, &data_key, &associated_data);
        }
        let unwrapped = self.key.unwrap_key(&layout.wrapped, &associated_data);
        let data_key = Arc::new(unwrapped.await?.data_key);
        self.cache.keep(name, data_key.clone());
        decrypt(&layout, &data_key, &associated_data)
    }

    /// The same text under the key's primary version, sealed anew; nothing when it is already. It
    /// is opened either way, past what is cached.
    ///
    /// # Errors
    /// Returns [`EnvelopeError`].
    pub async fn rewrap(
        &self,
        sealed: &str,
        place: &Place<'_>,
    ) -> Result<Option<String>, EnvelopeError> {
        let layout = parse(sealed)?;
        let associated_data = place.associated_data();
        let unwrapped = self.key.unwrap_key(&layout.wrapped, &associated_data);
        let unwrapped = unwrapped.await?;
        let plaintext = decrypt(&layout, &unwrapped.data_key, &associated_data)?;
        if unwrapped.is_primary {
            return Ok(None);
        }
        self.seal(&plaintext, place).await.map(Some)
    }

    /// Whether a text's version of the key is gone for good, and the text with it.
    ///
    /// # Errors
    /// Returns [`EnvelopeError`].
    pub async fn is_lost(&self, sealed: &str) -> Result<bool, EnvelopeError> {
        let layout = parse(sealed)?;
        Ok(self.key.is_destroyed(&layout.wrapped.version).await?)
    }
}

/// The version of the key that a text names, if it is a sealed text at all.
#[must_use]
pub fn key_version(sealed: &str) -> Option<String> {
    let layout = parse(sealed).ok()?;
    Some(layout.wrapped.version)
}

fn parse(sealed: &str) -> Result<Layout, EnvelopeError> {
    let is_possible = sealed.len() <= MAX_TEXT_BYTES;
    let bytes = is_possible.then(|| URL_SAFE_NO_PAD.decode(sealed).ok());
    let layout = bytes.flatten().and_then(|bytes| Layout::parse(&bytes));
    layout.ok_or(EnvelopeError::Unopenable)
}

fn decrypt(
    layout: &Layout,
    data_key: &DataKey,
    associated_data: &[u8],
) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    let bound = text_data(associated_data, &layout.wrapped.version);
    let plaintext = cipher::decrypt(data_key, &layout.nonce, &bound, &layout.ciphertext);
    plaintext.ok_or(EnvelopeError::Unopenable)
}

/// The text is bound to its key's version as well: a wrapped key tells it to its keeper alone, and
/// what a text names must be what opens it.
fn text_data(associated_data: &[u8], version: &str) -> Vec<u8> {
    message(&[associated_data, version.as_bytes()])
}
