//! ID tokens and what the standard says of them
//! (<https://firebase.google.com/docs/auth/admin/verify-id-tokens>).

mod header;
mod payload;
mod shape;
mod signature;
mod text;

use serde_json::{Value, json};

use super::forge::{NOW, Parts, Recipe, Row, Verdict::Accepted};

/// The project that good tokens are for.
pub(crate) const PROJECT: &str = "demo-p";

/// The claims of a good token, as the Firebase console's sample users have them.
pub(crate) fn claims() -> Value {
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

/// Every row of the table.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = good();
    rows.extend(shape::shapes());
    rows.extend(text::texts());
    rows.extend(header::algorithms());
    rows.extend(header::headers());
    rows.extend(payload::projects());
    rows.extend(payload::subjects());
    rows.extend(payload::others());
    rows.extend(payload::times());
    rows.extend(payload::time_types());
    rows.extend(signature::signatures());
    rows
}

fn claim(name: &'static str, value: impl Into<Value>) -> Recipe {
    Recipe::Claim(name, value.into())
}

fn parameter(name: &'static str, value: impl Into<Value>) -> Recipe {
    Recipe::Parameter(name, value.into())
}

fn good() -> Vec<Row> {
    const OPTIONAL: &[&str] = &["user_id", "email", "email_verified", "name", "firebase"];
    vec![
        ("good", Recipe::Good, Accepted),
        ("no optional claim", Recipe::NoClaims(OPTIONAL), Accepted),
        ("no typ", Recipe::NoParameter("typ"), Accepted),
        ("an empty address", claim("email", ""), Accepted),
        ("a sub of 1", claim("sub", "a"), Accepted),
        ("a sub of 128", claim("sub", "a".repeat(128)), Accepted),
        ("128 beyond ASCII", claim("sub", "ä".repeat(128)), Accepted),
        ("sub an address", claim("sub", "ada@example.com"), Accepted),
        ("sub with a blank", claim("sub", "uid 1"), Accepted),
        ("the last second", claim("exp", NOW + 1), Accepted),
        ("iat at the skew", claim("iat", NOW + 300), Accepted),
        ("auth_time at it", claim("auth_time", NOW + 300), Accepted),
        ("an old sign-in", claim("auth_time", 0), Accepted),
        ("begun", claim("nbf", NOW), Accepted),
        ("nbf at the skew", claim("nbf", NOW + 300), Accepted),
        ("a custom claim", claim("admin", true), Accepted),
        ("no provider", claim("firebase", json!({})), Accepted),
        (
            "blanks in the JSON",
            Recipe::Payload(|text| format!(" {text}\n").into_bytes()),
            Accepted,
        ),
    ]
}

fn whole(parts: &Parts) -> String {
    let Parts {
        header,
        payload,
        signature,
    } = parts;
    format!("{header}.{payload}.{signature}")
}

/// The same bytes for a decoder that does not look: the last letter holds bits that no byte has.
fn with_bits_left_over(part: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = part.split_at(part.len() - 1);
    assert_ne!(part.len() % 4, 0, "no bits are left over");
    let next = ALPHABET.find(last).unwrap() + 1;
    format!("{rest}{}", &ALPHABET[next..=next])
}
