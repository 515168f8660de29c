use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A signature header as Stripe makes it, without the code that checks it
/// (<https://docs.stripe.com/webhooks#verify-manually>).
#[must_use]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
pub fn stripe_signature(secret: &str, time: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{time}.").as_bytes());
    mac.update(body);
    format!("t={time},v1={}", hex::encode(mac.finalize().into_bytes()))
}
