//! Headers: algorithms and keys.

use serde_json::{Value, json};

use super::parameter;
use crate::tokens::forge::{
    Recipe, Row, Signer, TRAP,
    Verdict::{self, Refused},
};

fn signed(name: &'static str, algorithm: &'static str, signer: Signer) -> Row {
    (
        name,
        Recipe::Signed(algorithm, signer),
        Refused("Algorithm"),
    )
}

/// Algorithms other than RS256, with signatures that are good for them.
pub(super) fn algorithms() -> Vec<Row> {
    let refused = || Refused("Algorithm");
    vec![
        ("no alg", Recipe::NoParameter("alg"), refused()),
        ("alg null", parameter("alg", Value::Null), refused()),
        ("alg empty", parameter("alg", ""), refused()),
        ("alg a list", parameter("alg", json!(["RS256"])), refused()),
        signed("alg in lower case", "rs256", Signer::Rs256),
        signed("a blank after alg", "RS256 ", Signer::Rs256),
        signed("alg none, unsigned", "none", Signer::Nobody),
        signed("alg None, unsigned", "None", Signer::Nobody),
        signed("alg nOnE, unsigned", "nOnE", Signer::Nobody),
        signed("alg none, signed", "none", Signer::Rs256),
        signed("RS384", "RS384", Signer::Rs384),
        signed("PS256", "PS256", Signer::Ps256),
        signed("ES256", "ES256", Signer::Es256),
        signed("RS512 by name only", "RS512", Signer::Rs256),
        signed("HS256 with the public key", "HS256", Signer::Hs256WithDer),
        signed("HS256 with its PEM", "HS256", Signer::Hs256WithPem),
    ]
}

/// Headers that choose the key, or their own rules.
pub(super) fn headers() -> Vec<Row> {
    let refused = Verdict::Header;
    let jwk = json!({"kty": "RSA", "kid": "k1", "n": "AQAB", "e": "AQAB"});
    vec![
        ("no kid", Recipe::NoParameter("kid"), refused("kid")),
        ("kid empty", parameter("kid", ""), refused("kid")),
        ("kid a number", parameter("kid", 1), refused("kid")),
        ("kid null", parameter("kid", Value::Null), refused("kid")),
        ("kid a flag", parameter("kid", true), refused("kid")),
        (
            "kid a list",
            parameter("kid", json!(["k1"])),
            refused("kid"),
        ),
        ("kid an object", parameter("kid", json!({})), refused("kid")),
        ("kid unknown", parameter("kid", "k2"), Refused("UnknownKey")),
        (
            "kid a path",
            parameter("kid", "../k1"),
            Refused("UnknownKey"),
        ),
        (
            "kid an address",
            parameter("kid", TRAP),
            Refused("UnknownKey"),
        ),
        (
            "kid in capitals",
            parameter("kid", "K1"),
            Refused("UnknownKey"),
        ),
        (
            "kid with a blank",
            parameter("kid", "k1 "),
            Refused("UnknownKey"),
        ),
        ("typ another", parameter("typ", "at+jwt"), refused("typ")),
        ("typ null", parameter("typ", Value::Null), refused("typ")),
        ("jwk", parameter("jwk", jwk), refused("jwk")),
        (
            "jku",
            parameter("jku", format!("{TRAP}/keys")),
            refused("jku"),
        ),
        (
            "x5u",
            parameter("x5u", format!("{TRAP}/cert")),
            refused("x5u"),
        ),
        ("x5c", parameter("x5c", json!(["MIIB"])), refused("x5c")),
        ("jku null", parameter("jku", Value::Null), refused("jku")),
        ("crit", parameter("crit", json!(["exp"])), refused("crit")),
        ("crit empty", parameter("crit", json!([])), refused("crit")),
    ]
}
