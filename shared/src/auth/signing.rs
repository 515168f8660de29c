//! Signed tokens for the tests of this module.

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// The project that the tokens are for.
pub(super) const PROJECT: &str = "demo-p";

/// The time at which the tokens are looked at, in seconds since the epoch.
pub(super) const NOW: i64 = 1_800_000_000;

/// A key pair with a key id.
pub(super) struct SigningKey {
    pair: KeyPair,
    id: String,
}

impl SigningKey {
    pub(super) fn generate(id: &str) -> Self {
        Self {
            pair: KeyPair::generate(KeySize::Rsa2048).unwrap(),
            id: id.to_owned(),
        }
    }

    /// The key set that holds the public half.
    pub(super) fn jwks(&self) -> String {
        let public_key = self.pair.public_key();
        let modulus = public_key.modulus();
        let exponent = public_key.exponent();
        json!({ "keys": [{
            "kty": "RSA", "alg": "RS256", "use": "sig", "kid": self.id,
            "n": URL_SAFE_NO_PAD.encode(modulus.big_endian_without_leading_zero()),
            "e": URL_SAFE_NO_PAD.encode(exponent.big_endian_without_leading_zero()),
        }]})
        .to_string()
    }

    /// The public half in DER, for those who would take it for a shared secret.
    pub(super) fn public_der(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = self.pair.public_key().as_der().unwrap();
        der.as_ref().to_vec()
    }

    pub(super) fn header(&self) -> Value {
        json!({"alg": "RS256", "typ": "JWT", "kid": self.id})
    }

    pub(super) fn sign(&self, header: &Value, payload: &Value) -> String {
        self.sign_text(&header.to_string(), &payload.to_string())
    }

    /// Signs what need not be JSON.
    pub(super) fn sign_text(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", encode(header), encode(payload));
        let signature = self.signature(&signed);
        format!("{signed}.{signature}")
    }

    /// The third part of a token.
    pub(super) fn signature(&self, signed: &str) -> String {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let random = SystemRandom::new();
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &random,
                signed.as_bytes(),
                &mut signature,
            )
            .unwrap();
        URL_SAFE_NO_PAD.encode(signature)
    }
}

/// The claims of a good token, as the Firebase console's sample users have them.
pub(super) fn payload() -> Value {
    json!({
        "iss": format!("https://securetoken.google.com/{PROJECT}"),
        "aud": PROJECT,
        "auth_time": NOW - 120,
        "iat": NOW - 60,
        "exp": NOW + 3540,
        "sub": "uid1",
        "user_id": "uid1",
        "email": "Ada@Example.com",
        "email_verified": true,
        "name": "Ada",
        "firebase": {"identities": {"email": ["ada@example.com"]}, "sign_in_provider": "password"},
    })
}

/// `object` with one member set.
pub(super) fn with(mut object: Value, name: &str, value: impl Into<Value>) -> Value {
    object[name] = value.into();
    object
}

/// `object` without one member.
pub(super) fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name).unwrap();
    object
}

pub(super) fn encode(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}
