use std::{collections::HashMap, fmt, time::Duration};

use async_trait::async_trait;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;

use super::Error;

/// Public keys for RS256 by key id.
#[derive(Clone, Default)]
pub struct KeySet {
    keys: HashMap<String, DecodingKey>,
}

/// Keys for the tokens of one project: what a token is verified with.
#[derive(Clone, Copy, Debug)]
pub struct ProjectKeys<'a> {
    pub(super) project_id: &'a str,
    pub(super) keys: &'a KeySet,
}

/// Keys and how long they may be kept.
#[derive(Clone, Debug)]
pub struct FetchedKeys {
    /// The keys.
    pub keys: KeySet,
    /// For how long they are good.
    pub max_age: Duration,
}

/// Where keys come from.
#[async_trait]
pub trait KeySource: Send + Sync {
    /// Fetches the current keys.
    async fn fetch(&self) -> Result<FetchedKeys, Error>;
}

impl KeySet {
    /// Reads a JSON Web Key Set (<https://www.rfc-editor.org/rfc/rfc7517#section-5>). Keys for
    /// other purposes than RS256 signatures are passed over.
    ///
    /// # Errors
    /// Returns [`Error::KeysUnavailable`] when the text is not a key set.
    pub fn from_jwks(text: &str) -> Result<Self, Error> {
        let set: WireKeySet = serde_json::from_str(text).map_err(unavailable)?;
        let mut keys = HashMap::new();
        for key in set.keys.into_iter().filter(WireKey::is_for_rs256) {
            let decoding_key =
                DecodingKey::from_rsa_components(&key.n, &key.e).map_err(unavailable)?;
            keys.insert(key.kid, decoding_key);
        }
        Ok(Self { keys })
    }

    /// These keys, for the tokens of a project: the keys of all Firebase projects are the same.
    #[must_use]
    pub fn of_project<'a>(&'a self, project_id: &'a str) -> ProjectKeys<'a> {
        ProjectKeys {
            project_id,
            keys: self,
        }
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether there is a key with this id.
    #[must_use]
    pub fn contains(&self, key_id: &str) -> bool {
        self.keys.contains_key(key_id)
    }

    pub(super) fn get(&self, key_id: &str) -> Option<&DecodingKey> {
        self.keys.get(key_id)
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.keys.keys()).finish()
    }
}

#[derive(Deserialize)]
struct WireKeySet {
    keys: Vec<WireKey>,
}

/// <https://www.rfc-editor.org/rfc/rfc7517#section-4>, with the members of an RSA key.
#[derive(Deserialize)]
struct WireKey {
    kty: String,
    #[serde(default)]
    kid: String,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
}

impl WireKey {
    fn is_for_rs256(&self) -> bool {
        self.kty == "RSA"
            && !self.kid.is_empty()
            && self.alg.as_deref().is_none_or(|alg| alg == "RS256")
            && self
                .purpose
                .as_deref()
                .is_none_or(|purpose| purpose == "sig")
    }
}

pub(super) fn unavailable(source: impl Into<super::BoxError>) -> Error {
    Error::KeysUnavailable(source.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_keys_for_rs256_signatures_are_taken() {
        let keys = json!({"keys": [
            {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "good", "n": "AQAB", "e": "AQAB"},
            {"kty": "RSA", "kid": "plain", "n": "AQAB", "e": "AQAB", "x5t": "ignored"},
            {"kty": "RSA", "alg": "RS512", "kid": "longer", "n": "AQAB", "e": "AQAB"},
            {"kty": "RSA", "use": "enc", "kid": "encryption", "n": "AQAB", "e": "AQAB"},
            {"kty": "EC", "kid": "curve", "crv": "P-256", "x": "AQAB", "y": "AQAB"},
            {"kty": "oct", "kid": "secret", "k": "AQAB"},
            {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        ]});
        let keys = KeySet::from_jwks(&keys.to_string()).unwrap();
        assert_eq!(keys.keys.len(), 2);
        assert!(keys.contains("good") && keys.contains("plain"));
    }

    #[test]
    fn what_is_not_a_key_set_is_refused() {
        let rows = [
            "",
            "[]",
            "{}",
            r#"{"keys":{}}"#,
            r#"{"keys":[{"kid":"k1"}]}"#,
            r#"{"keys":[{"kty":"RSA","kid":"k1","n":"+/","e":"AQAB"}]}"#,
        ];
        for text in rows {
            let result = KeySet::from_jwks(text);
            assert!(matches!(result, Err(Error::KeysUnavailable(_))), "{text}");
        }
    }
}
