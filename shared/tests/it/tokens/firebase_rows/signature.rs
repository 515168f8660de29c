//! Signatures.

use super::{claims, whole, with_bits_left_over};
use crate::tokens::forge::{Parts, Recipe, Row, Signer, Verdict::Refused, encode};

fn resigned(name: &'static str, rewrite: fn(&Parts) -> String) -> Row {
    (name, Recipe::Altered(rewrite), Refused("Signature"))
}

/// RS256 by name, but not signed by the key that is named.
pub(super) fn signatures() -> Vec<Row> {
    let refused = || Refused("Signature");
    let forged = |signer| Recipe::Signed("RS256", signer);
    vec![
        ("another key", forged(Signer::Forger), refused()),
        ("RS384 named RS256", forged(Signer::Rs384), refused()),
        ("PS256 named RS256", forged(Signer::Ps256), refused()),
        ("ES256 named RS256", forged(Signer::Es256), refused()),
        ("HS256 named RS256", forged(Signer::Hs256WithDer), refused()),
        ("unsigned", forged(Signer::Nobody), refused()),
        resigned(
            "another payload",
            |Parts {
                 header, signature, ..
             }| {
                let admin = claims().to_string().replace("uid1", "admin");
                format!("{header}.{}.{signature}", encode(admin))
            },
        ),
        resigned(
            "another header",
            |Parts {
                 payload, signature, ..
             }| {
                let header = encode(r#"{"kid":"k1","alg":"RS256"}"#);
                format!("{header}.{payload}.{signature}")
            },
        ),
        resigned("a cut signature", |parts| {
            let token = whole(parts);
            token[..token.len() - 4].to_owned()
        }),
        resigned("a long signature", |parts| format!("{}AAAA", whole(parts))),
        resigned("a padded signature", |parts| format!("{}==", whole(parts))),
        resigned("bits left over in the signature", |parts| {
            let Parts {
                header,
                payload,
                signature,
            } = parts;
            format!("{header}.{payload}.{}", with_bits_left_over(signature))
        }),
        resigned(
            "zeros",
            |Parts {
                 header, payload, ..
             }| { format!("{header}.{payload}.{}", "A".repeat(342)) },
        ),
        resigned(
            "removed, as by Cloud Run",
            |Parts {
                 header, payload, ..
             }| { format!("{header}.{payload}.SIGNATURE_REMOVED_BY_GOOGLE") },
        ),
    ]
}
