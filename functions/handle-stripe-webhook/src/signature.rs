//! Stripe's signature over a webhook body
//! (<https://docs.stripe.com/webhooks/signature#verify-manually>).

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use shared::models::Timestamp;
use subtle::{Choice, ConstantTimeEq};

/// How far a signature's time may be from ours, either way. Stripe's libraries look at the past
/// only; a signature from the future would outlive the tolerance.
const TOLERANCE_SECS: u64 = 300;

/// Why a body is not accepted as Stripe's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// The header has not exactly one time, or no signature of the scheme in use.
    #[error("the signature header is malformed")]
    Malformed,
    /// The signature was made too long ago, or in the future.
    #[error("the signature's time is outside the tolerance")]
    OutOfTolerance,
    /// No signature fits the body and a secret.
    #[error("no signature fits")]
    Mismatch,
}

/// A `Stripe-Signature` header, taken apart.
struct Header<'a> {
    /// The time as it stands there, for it is signed as text.
    time_text: &'a str,
    time: u64,
    signatures: Vec<Vec<u8>>,
}

/// Verifies that one of the signatures in `header` was made over `body` with one of `secrets`.
///
/// There are several of either while a secret is rolled. Only the scheme `v1` counts: `v0` is
/// made for test events with a weaker key.
pub(crate) fn verify(
    header: &str,
    body: &[u8],
    secrets: &[SecretString],
    now: Timestamp,
) -> Result<(), Error> {
    let header = Header::parse(header)?;
    let now = u64::try_from(now.instant().as_second()).unwrap_or_default();
    let mut fits = Choice::from(0);
    for secret in secrets {
        let expected = sign(secret, header.time_text, body)?;
        for signature in &header.signatures {
            fits |= signature.as_slice().ct_eq(&expected);
        }
    }
    if !bool::from(fits) {
        return Err(Error::Mismatch);
    }
    if header.time.abs_diff(now) > TOLERANCE_SECS {
        return Err(Error::OutOfTolerance);
    }
    Ok(())
}

impl<'a> Header<'a> {
    fn parse(text: &'a str) -> Result<Self, Error> {
        let mut times = Vec::new();
        let mut signatures = Vec::new();
        for item in text.split(',') {
            match item.split_once('=').ok_or(Error::Malformed)? {
                ("t", time) => times.push(time),
                ("v1", signature) => signatures.extend(hex::decode(signature)),
                _ => {}
            }
        }
        let [time_text] = times[..] else {
            return Err(Error::Malformed);
        };
        let is_number = time_text.bytes().all(|byte| byte.is_ascii_digit());
        let time = time_text.parse().map_err(|_| Error::Malformed)?;
        if signatures.is_empty() || !is_number {
            return Err(Error::Malformed);
        }
        Ok(Self {
            time_text,
            time,
            signatures,
        })
    }
}

/// HMAC-SHA256 over `time.body`. The key is the whole secret, `whsec_` included.
fn sign(secret: &SecretString, time: &str, body: &[u8]) -> Result<[u8; 32], Error> {
    let key = secret.expose_secret().as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| Error::Mismatch)?;
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    Ok(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests;
