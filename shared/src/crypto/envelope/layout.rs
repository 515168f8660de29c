//! The bytes of a sealed text: those of Tink's `KmsEnvelopeAead`
//! (<https://developers.google.com/tink/wire-format#envelope_encryption>), with the format and the
//! key's version before them.
//!
//! ```text
//! format 1 | length 2 | key version | length 4 | wrapped data key | nonce 12 | ciphertext | tag 16
//! ```

use crate::crypto::{
    cipher::{NONCE_BYTES, TAG_BYTES},
    encryption_key::WrappedKey,
};

/// The format, and with it the algorithm: AES-256-GCM below a data key of 32 bytes.
pub(super) const FORMAT: u8 = 1;

/// The longest wrapped data key.
const MAX_WRAPPED_BYTES: usize = 4_096;

/// A sealed text, taken apart.
pub(super) struct Layout {
    pub(super) wrapped: WrappedKey,
    pub(super) nonce: [u8; NONCE_BYTES],
    /// With the tag.
    pub(super) ciphertext: Vec<u8>,
}

impl Layout {
    /// Takes a text apart, if it can be one.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (&format, rest) = bytes.split_first()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (version, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let (length, rest) = rest.split_first_chunk()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (wrapped, rest) = rest.split_at_checked(length)?;
        let (&nonce, ciphertext) = rest.split_first_chunk()?;
        let is_possible = format == FORMAT
            && !version.is_empty()
            && (1..=MAX_WRAPPED_BYTES).contains(&length)
            && ciphertext.len() >= TAG_BYTES;
        let version = str::from_utf8(version).ok()?.to_owned();
        is_possible.then(|| Self {
            wrapped: WrappedKey {
                version,
                bytes: wrapped.to_vec(),
            },
            nonce,
            ciphertext: ciphertext.to_vec(),
        })
    }

    /// The bytes; nothing for what [`Self::parse`] would not take.
    pub(super) fn to_bytes(&self) -> Option<Vec<u8>> {
        let WrappedKey { version, bytes } = &self.wrapped;
        let version_length = u16::try_from(version.len())
            .ok()
            .filter(|&length| length > 0)?;
        let is_possible = (1..=MAX_WRAPPED_BYTES).contains(&bytes.len());
        let length = u32::try_from(bytes.len()).ok().filter(|_| is_possible)?;
        let parts: [&[u8]; 7] = [
            &[FORMAT],
            &version_length.to_be_bytes(),
            version.as_bytes(),
            &length.to_be_bytes(),
            bytes,
            &self.nonce,
            &self.ciphertext,
        ];
        Some(parts.concat())
    }
}
