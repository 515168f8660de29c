use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{Error, strict_json};

/// Longest token accepted. Firebase's are about 1 kB; custom claims add at most 1,000 bytes
/// (<https://firebase.google.com/docs/auth/admin/custom-claims>).
const MAX_BYTES: usize = 8 * 1024;

/// Parameters that name or carry a key or demand an extension
/// (<https://www.rfc-editor.org/rfc/rfc7515#section-4.1>). Firebase sets none of them.
const REFUSED_PARAMETERS: [&str; 5] = ["crit", "jku", "jwk", "x5c", "x5u"];

/// A token taken apart. Nothing in it is trusted.
pub(super) struct Token<'a> {
    /// What the signature covers: header and payload as they were sent.
    pub(super) signed: &'a str,
    /// The signature in base64url.
    pub(super) signature: &'a str,
    /// The claims.
    pub(super) payload: Map<String, Value>,
    header: Map<String, Value>,
}

impl<'a> Token<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Error> {
        if text.len() > MAX_BYTES {
            return Err(Error::TooLarge);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Error::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Error::Malformed)?;
        let header = decode(header)?;
        check_parameters(&header)?;
        Ok(Self {
            signed,
            signature,
            payload: decode(payload)?,
            header,
        })
    }

    /// The algorithm that the header names.
    pub(super) fn algorithm(&self) -> Option<&str> {
        self.header.get("alg").and_then(Value::as_str)
    }

    /// The id of the signing key.
    pub(super) fn key_id(&self) -> Result<&str, Error> {
        let key_id = self.header.get("kid").and_then(Value::as_str);
        key_id
            .filter(|key_id| !key_id.is_empty())
            .ok_or(Error::Header("kid"))
    }
}

/// The alphabet of base64url has no dot, so a fourth part fails here too.
fn decode(part: &str) -> Result<Map<String, Value>, Error> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Error::Malformed)?;
    strict_json::parse_object(&bytes).ok_or(Error::Malformed)
}

fn check_parameters(header: &Map<String, Value>) -> Result<(), Error> {
    for name in REFUSED_PARAMETERS {
        if header.contains_key(name) {
            return Err(Error::Header(name));
        }
    }
    match header.get("typ") {
        Some(kind) if kind != "JWT" => Err(Error::Header("typ")),
        _ => Ok(()),
    }
}
