//! Signatures of Standard Webhooks
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).

use base64::{Engine, engine::general_purpose::STANDARD};
use shared::models::Timestamp;
use subtle::{Choice, ConstantTimeEq};

use super::keys::hmac_sha256;

/// How far a signature's time may be from ours, either way, as in the libraries of the standard.
const TOLERANCE_SECS: u64 = 300;

/// What a signature of this scheme begins with.
const SCHEME: &str = "v1,";

/// A body with what the sender says of it.
pub(crate) struct Signed<'a> {
    /// `webhook-id`: equal for repeats of the same event.
    pub(crate) id: Option<&'a str>,
    /// `webhook-timestamp`: when it was sent, in seconds since the epoch.
    pub(crate) timestamp: Option<&'a str>,
    /// `webhook-signature`: signatures of several keys and schemes.
    pub(crate) signature: Option<&'a str>,
    /// The body as it came.
    pub(crate) body: &'a [u8],
}

/// Why a request does not count as signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    /// A header is missing or malformed.
    #[error("the headers of the signature are missing or malformed")]
    Malformed,
    /// It was signed too long ago, or in the future.
    #[error("the signature's time is outside the tolerance")]
    OutOfTolerance,
    /// No signature fits.
    #[error("no signature fits")]
    Mismatch,
}

impl Signed<'_> {
    /// Verifies that one of the signatures was made with the secret.
    pub(super) fn verify(&self, secret: &[u8], now: Timestamp) -> Result<(), Error> {
        let (Some(id), Some(timestamp), Some(signature)) =
            (self.id, self.timestamp, self.signature)
        else {
            return Err(Error::Malformed);
        };
        // A dot would let the same signed text be read in another way.
        let is_number = timestamp.bytes().all(|byte| byte.is_ascii_digit());
        if id.is_empty() || id.contains('.') || !is_number {
            return Err(Error::Malformed);
        }
        let sent_at: u64 = timestamp.parse().map_err(|_| Error::Malformed)?;
        let expected = sign(secret, id, timestamp, self.body);
        let mut fits = Choice::from(0);
        for text in signature.split(' ') {
            let given = text.strip_prefix(SCHEME);
            let given = given.and_then(|text| STANDARD.decode(text).ok());
            fits |= given.unwrap_or_default().as_slice().ct_eq(&expected);
        }
        if !bool::from(fits) {
            return Err(Error::Mismatch);
        }
        let now = u64::try_from(now.instant().as_second()).unwrap_or_default();
        if sent_at.abs_diff(now) > TOLERANCE_SECS {
            return Err(Error::OutOfTolerance);
        }
        Ok(())
    }
}

fn sign(secret: &[u8], id: &str, timestamp: &str, body: &[u8]) -> [u8; 32] {
    let mut signed = format!("{id}.{timestamp}.").into_bytes();
    signed.extend(body);
    hmac_sha256(secret, &signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An example of the standard's own libraries
    /// (<https://github.com/standard-webhooks/standard-webhooks/tree/main/libraries>).
    const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const TIMESTAMP: &str = "1614265330";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn at(seconds: i64) -> Timestamp {
        jiff::Timestamp::from_second(seconds).unwrap().into()
    }

    fn signed<'a>(id: &'a str, timestamp: &'a str, signature: &'a str) -> Signed<'a> {
        Signed {
            id: Some(id),
            timestamp: Some(timestamp),
            signature: Some(signature),
            body: BODY,
        }
    }

    fn verify(signed: &Signed<'_>, now: i64) -> Result<(), Error> {
        signed.verify(&STANDARD.decode(SECRET).unwrap(), at(now))
    }

    #[test]
    fn the_example_of_the_standard_is_accepted() {
        assert_eq!(
            verify(&signed(ID, TIMESTAMP, SIGNATURE), 1_614_265_330),
            Ok(())
        );
    }

    #[test]
    fn one_signature_of_several_is_enough() {
        let several = format!("v1,AAAA v1a,AAAA v2,AAAA x {SIGNATURE}");
        assert_eq!(
            verify(&signed(ID, TIMESTAMP, &several), 1_614_265_330),
            Ok(())
        );
    }

    #[test]
    fn five_minutes_either_way_are_tolerated() {
        for (seconds, expected) in [
            (-301, Err(Error::OutOfTolerance)),
            (-300, Ok(())),
            (300, Ok(())),
            (301, Err(Error::OutOfTolerance)),
        ] {
            let verdict = verify(&signed(ID, TIMESTAMP, SIGNATURE), 1_614_265_330 + seconds);
            assert_eq!(verdict, expected, "{seconds}");
        }
    }

    #[test]
    fn whatever_is_changed_is_noticed() {
        let now = 1_614_265_330;
        let whole = signed(ID, TIMESTAMP, SIGNATURE);
        let other_body = Signed {
            body: b"{}",
            ..whole
        };
        let plain = &SIGNATURE[3..];
        for changed in [
            signed("msg_2", TIMESTAMP, SIGNATURE),
            signed(ID, "1614265331", SIGNATURE),
            signed(ID, TIMESTAMP, "v1,"),
            signed(ID, TIMESTAMP, plain),
            signed(ID, TIMESTAMP, ""),
            other_body,
        ] {
            assert_eq!(verify(&changed, now), Err(Error::Mismatch));
        }
        assert_eq!(
            signed(ID, TIMESTAMP, SIGNATURE).verify(b"other", at(now)),
            Err(Error::Mismatch)
        );
    }

    #[test]
    fn odd_headers_are_no_signature() {
        for (id, timestamp) in [
            ("", TIMESTAMP),
            ("a.1", TIMESTAMP),
            (ID, ""),
            (ID, "+1"),
            (ID, "1e9"),
        ] {
            assert_eq!(
                verify(&signed(id, timestamp, SIGNATURE), 0),
                Err(Error::Malformed)
            );
        }
        let missing = Signed {
            id: None,
            ..signed(ID, TIMESTAMP, SIGNATURE)
        };
        assert_eq!(verify(&missing, 0), Err(Error::Malformed));
    }
}
