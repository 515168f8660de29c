//! Tokens with real signatures, made from a recipe that says how they differ from a good one.

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    hmac,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256,
        RSA_PKCS1_SHA384, RSA_PSS_SHA256, RsaEncoding,
    },
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use shared::auth::{Error, KeySet};

/// The time at which tokens are looked at, in seconds since the epoch.
pub(crate) const NOW: i64 = 1_800_000_000;

/// Stands in recipes for the address of a server that nobody may ask for anything.
pub(crate) const TRAP: &str = "{trap}";

/// A token of a table: its name, how it is made, and what is to be said of it.
pub(crate) type Row = (&'static str, Recipe, Verdict);

/// How a token differs from a good one, whose signature it shares unless told otherwise.
pub(crate) enum Recipe {
    Good,
    Claim(&'static str, Value),
    NoClaims(&'static [&'static str]),
    Parameter(&'static str, Value),
    NoParameter(&'static str),
    /// The header's JSON, rewritten before it is signed.
    Header(fn(&str) -> Vec<u8>),
    /// The payload's JSON, rewritten before it is signed.
    Payload(fn(&str) -> Vec<u8>),
    /// The encoded header and payload, rewritten before they are signed.
    Encoded(fn(&str, &str) -> String),
    /// The three parts of a good token, rewritten after it was signed.
    Altered(fn(&Parts) -> String),
    /// Signed by another algorithm or key than the header would have.
    Signed(&'static str, Signer),
}

/// The parts of a good token.
pub(crate) struct Parts {
    pub(crate) header: String,
    pub(crate) payload: String,
    pub(crate) signature: String,
}

pub(crate) enum Signer {
    Rs256,
    Rs384,
    Ps256,
    Es256,
    /// A key that the issuer does not have, under the id of one that it has.
    Forger,
    /// HMAC, with the public key as the shared secret.
    Hs256WithDer,
    Hs256WithPem,
    Nobody,
}

/// What is to be said of a token.
pub(crate) enum Verdict {
    Accepted,
    Malformed,
    Header(&'static str),
    Claim(&'static str),
    Refused(&'static str),
}

impl Verdict {
    pub(crate) fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted)
    }

    #[track_caller]
    pub(crate) fn assert<T>(&self, result: Result<T, Error>, name: &str) {
        let expected = match self {
            Self::Accepted => None,
            Self::Malformed => Some("Malformed".to_owned()),
            Self::Header(parameter) => Some(format!("Header({parameter:?})")),
            Self::Claim(claim) => Some(format!("Claim({claim:?})")),
            Self::Refused(error) => Some((*error).to_owned()),
        };
        let found = result.err().map(|error| format!("{error:?}"));
        assert_eq!(found, expected, "{name}");
    }
}

/// Makes tokens.
pub(crate) struct Forge {
    key: KeyPair,
    forger: KeyPair,
    curve: EcdsaKeyPair,
    claims: Value,
    trap: String,
}

impl Forge {
    /// A forge whose good tokens have these claims and the key id `k1`.
    pub(crate) fn new(claims: Value) -> Self {
        Self {
            key: KeyPair::generate(KeySize::Rsa2048).unwrap(),
            forger: KeyPair::generate(KeySize::Rsa2048).unwrap(),
            curve: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            claims,
            trap: "http://127.0.0.1:1".to_owned(),
        }
    }

    /// The same with the address of a server that counts.
    pub(crate) fn with_trap(mut self, trap: String) -> Self {
        self.trap = trap;
        self
    }

    /// The key set that the issuer publishes.
    pub(crate) fn keys(&self) -> KeySet {
        let public_key = self.key.public_key();
        let (modulus, exponent) = (public_key.modulus(), public_key.exponent());
        let keys = json!({ "keys": [{
            "kty": "RSA", "alg": "RS256", "use": "sig", "kid": "k1",
            "n": encode(modulus.big_endian_without_leading_zero()),
            "e": encode(exponent.big_endian_without_leading_zero()),
        }]});
        KeySet::from_jwks(&keys.to_string()).unwrap()
    }

    pub(crate) fn good(&self) -> String {
        self.make(&Recipe::Good)
    }

    pub(crate) fn make(&self, recipe: &Recipe) -> String {
        let mut header = json!({"alg": "RS256", "typ": "JWT", "kid": "k1"});
        let mut claims = self.claims.clone();
        match recipe {
            Recipe::Claim(name, value) => claims[*name] = value.clone(),
            Recipe::NoClaims(names) => names.iter().for_each(|name| remove(&mut claims, name)),
            Recipe::Parameter(name, value) => header[*name] = value.clone(),
            Recipe::NoParameter(name) => remove(&mut header, name),
            Recipe::Signed(algorithm, _) => header["alg"] = json!(algorithm),
            _ => {}
        }
        let header = header.to_string().replace(TRAP, &self.trap);
        let claims = claims.to_string().replace(TRAP, &self.trap);
        let signed = match recipe {
            Recipe::Header(rewrite) => join(&rewrite(&header), claims.as_bytes()),
            Recipe::Payload(rewrite) => join(header.as_bytes(), &rewrite(&claims)),
            Recipe::Encoded(rewrite) => rewrite(&encode(header), &encode(claims)),
            _ => join(header.as_bytes(), claims.as_bytes()),
        };
        match recipe {
            Recipe::Altered(rewrite) => rewrite(&self.parts(&signed)),
            Recipe::Signed(_, signer) => format!("{signed}.{}", self.sign(&signed, signer)),
            _ => format!("{signed}.{}", self.sign(&signed, &Signer::Rs256)),
        }
    }

    fn parts(&self, signed: &str) -> Parts {
        let (header, payload) = signed.split_once('.').unwrap();
        Parts {
            header: header.to_owned(),
            payload: payload.to_owned(),
            signature: self.sign(signed, &Signer::Rs256),
        }
    }

    fn sign(&self, text: &str, signer: &Signer) -> String {
        match signer {
            Signer::Rs256 => rsa(&self.key, &RSA_PKCS1_SHA256, text),
            Signer::Rs384 => rsa(&self.key, &RSA_PKCS1_SHA384, text),
            Signer::Ps256 => rsa(&self.key, &RSA_PSS_SHA256, text),
            Signer::Forger => rsa(&self.forger, &RSA_PKCS1_SHA256, text),
            Signer::Es256 => {
                let random = SystemRandom::new();
                encode(self.curve.sign(&random, text.as_bytes()).unwrap())
            }
            Signer::Hs256WithDer => hs256(&self.public_der(), text),
            Signer::Hs256WithPem => hs256(self.public_pem().as_bytes(), text),
            Signer::Nobody => String::new(),
        }
    }

    fn public_der(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = self.key.public_key().as_der().unwrap();
        der.as_ref().to_vec()
    }

    /// <https://www.rfc-editor.org/rfc/rfc7468#section-13>.
    fn public_pem(&self) -> String {
        let text = STANDARD.encode(self.public_der());
        let lines = text.as_bytes().chunks(64);
        let lines: Vec<_> = lines.map(String::from_utf8_lossy).collect();
        let body = lines.join("\n");
        format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
    }
}

fn join(header: &[u8], payload: &[u8]) -> String {
    format!("{}.{}", encode(header), encode(payload))
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn remove(object: &mut Value, name: &str) {
    object.as_object_mut().unwrap().remove(name).unwrap();
}

fn rsa(key: &KeyPair, encoding: &'static dyn RsaEncoding, text: &str) -> String {
    let mut signature = vec![0; key.public_modulus_len()];
    let random = SystemRandom::new();
    key.sign(encoding, &random, text.as_bytes(), &mut signature)
        .unwrap();
    encode(signature)
}

fn hs256(secret: &[u8], text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    encode(hmac::sign(&key, text.as_bytes()))
}
