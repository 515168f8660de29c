//! Claims.

use serde_json::{Value, json};

use super::{PROJECT, claim};
use crate::tokens::forge::{
    NOW, Recipe, Row, TRAP,
    Verdict::{self, Refused},
};

/// Tokens of another project or issuer.
pub(super) fn projects() -> Vec<Row> {
    let issuer = "https://securetoken.google.com/demo-p";
    let (aud, iss) = (
        |value: Value| claim("aud", value),
        |value: Value| claim("iss", value),
    );
    let refused = Verdict::Claim;
    vec![
        ("no aud", Recipe::NoClaims(&["aud"]), refused("aud")),
        ("aud empty", aud(json!("")), refused("aud")),
        (
            "aud of another project",
            aud(json!("other-p")),
            refused("aud"),
        ),
        ("aud a list", aud(json!([PROJECT])), refused("aud")),
        ("aud in capitals", aud(json!("DEMO-P")), refused("aud")),
        ("aud with a blank", aud(json!("demo-p ")), refused("aud")),
        ("aud a number", aud(json!(1)), refused("aud")),
        ("aud null", aud(Value::Null), refused("aud")),
        ("no iss", Recipe::NoClaims(&["iss"]), refused("iss")),
        ("iss empty", iss(json!("")), refused("iss")),
        (
            "iss of another project",
            iss(json!("https://securetoken.google.com/other-p")),
            refused("iss"),
        ),
        (
            "iss with a slash",
            iss(json!(format!("{issuer}/"))),
            refused("iss"),
        ),
        ("iss a list", iss(json!([issuer])), refused("iss")),
        ("iss a trap", iss(json!(TRAP)), refused("iss")),
        (
            "iss without TLS",
            iss(json!("http://securetoken.google.com/demo-p")),
            refused("iss"),
        ),
        (
            "a session cookie",
            iss(json!("https://session.firebase.google.com/demo-p")),
            refused("iss"),
        ),
        (
            "Google's own",
            iss(json!("https://accounts.google.com")),
            refused("iss"),
        ),
    ]
}

pub(super) fn subjects() -> Vec<Row> {
    let refused = || Verdict::Claim("sub");
    vec![
        ("no sub", Recipe::NoClaims(&["sub"]), refused()),
        ("sub empty", claim("sub", ""), refused()),
        ("a sub of 129", claim("sub", "a".repeat(129)), refused()),
        (
            "a sub of 129 beyond ASCII",
            claim("sub", "ä".repeat(129)),
            refused(),
        ),
        ("sub a path", claim("sub", "../admin"), refused()),
        ("sub a parent", claim("sub", ".."), refused()),
        ("sub reserved", claim("sub", "__admin__"), refused()),
        ("sub with a NUL", claim("sub", "uid\0"), refused()),
        ("sub with a line feed", claim("sub", "uid\n"), refused()),
        ("sub a number", claim("sub", 1), refused()),
        ("sub a list", claim("sub", json!(["uid1"])), refused()),
        ("sub null", claim("sub", Value::Null), refused()),
    ]
}

/// Claims that need not be there, of another type.
pub(super) fn others() -> Vec<Row> {
    let refused = Verdict::Claim;
    let provider = json!({"sign_in_provider": 1});
    vec![
        (
            "email a list",
            claim("email", json!(["a@b.example"])),
            refused("email"),
        ),
        ("email a flag", claim("email", false), refused("email")),
        (
            "email_verified text",
            claim("email_verified", "true"),
            refused("email_verified"),
        ),
        (
            "email_verified 1",
            claim("email_verified", 1),
            refused("email_verified"),
        ),
        ("name an object", claim("name", json!({})), refused("name")),
        (
            "firebase text",
            claim("firebase", "password"),
            refused("firebase"),
        ),
        (
            "firebase a list",
            claim("firebase", json!([])),
            refused("firebase"),
        ),
        (
            "provider a number",
            claim("firebase", provider),
            refused("sign_in_provider"),
        ),
    ]
}

pub(super) fn times() -> Vec<Row> {
    let refused = Verdict::Claim;
    vec![
        ("expires now", claim("exp", NOW), Refused("Expired")),
        (
            "expired a second ago",
            claim("exp", NOW - 1),
            Refused("Expired"),
        ),
        (
            "expired within the skew",
            claim("exp", NOW - 299),
            Refused("Expired"),
        ),
        ("expired long ago", claim("exp", 0), Refused("Expired")),
        ("iat past the skew", claim("iat", NOW + 301), refused("iat")),
        (
            "auth_time past it",
            claim("auth_time", NOW + 301),
            refused("auth_time"),
        ),
        ("nbf past it", claim("nbf", NOW + 301), refused("nbf")),
        (
            "iat in milliseconds",
            claim("iat", NOW * 1000),
            refused("iat"),
        ),
        (
            "exp in milliseconds",
            claim("exp", NOW * 1000),
            refused("exp"),
        ),
        ("nbf text", claim("nbf", "0"), refused("nbf")),
    ]
}

/// Times that are absent or no whole seconds since the epoch.
pub(super) fn time_types() -> Vec<Row> {
    let mut rows = vec![
        ("no exp", Recipe::NoClaims(&["exp"]), Verdict::Claim("exp")),
        ("no iat", Recipe::NoClaims(&["iat"]), Verdict::Claim("iat")),
        (
            "no auth_time",
            Recipe::NoClaims(&["auth_time"]),
            Verdict::Claim("auth_time"),
        ),
    ];
    for name in ["exp", "iat", "auth_time"] {
        rows.extend([
            (
                "a time null",
                claim(name, Value::Null),
                Verdict::Claim(name),
            ),
            (
                "a time text",
                claim(name, (NOW + 60).to_string()),
                Verdict::Claim(name),
            ),
            ("a time a flag", claim(name, true), Verdict::Claim(name)),
            (
                "a time a list",
                claim(name, json!([NOW])),
                Verdict::Claim(name),
            ),
            ("a fraction", claim(name, 1.5), Verdict::Claim(name)),
            (
                "a whole float",
                claim(name, 1_800_000_060.0),
                Verdict::Claim(name),
            ),
            ("before the epoch", claim(name, -1), Verdict::Claim(name)),
            (
                "beyond all calendars",
                claim(name, i64::MAX),
                Verdict::Claim(name),
            ),
            (
                "beyond all calendars, back",
                claim(name, i64::MIN),
                Verdict::Claim(name),
            ),
            ("beyond i64", claim(name, u64::MAX), Verdict::Claim(name)),
            ("beyond u64", claim(name, 1e300), Verdict::Claim(name)),
        ]);
    }
    rows
}
