//! What is not three parts of base64url.

use super::{claim, whole, with_bits_left_over};
use crate::tokens::forge::{
    Parts, Recipe, Row,
    Verdict::{Malformed, Refused},
};

fn altered(name: &'static str, rewrite: fn(&Parts) -> String) -> Row {
    (name, Recipe::Altered(rewrite), Malformed)
}

fn encoded(name: &'static str, rewrite: fn(&str, &str) -> String) -> Row {
    (name, Recipe::Encoded(rewrite), Malformed)
}

pub(super) fn shapes() -> Vec<Row> {
    vec![
        altered("no part", |_| String::new()),
        altered("one part", |parts| parts.header.clone()),
        altered(
            "two parts",
            |Parts {
                 header, payload, ..
             }| { format!("{header}.{payload}") },
        ),
        altered("four parts", |parts| format!("{}.x", whole(parts))),
        altered("five parts", |parts| format!("{}.x.y", whole(parts))),
        altered("a dot at the end", |parts| format!("{}.", whole(parts))),
        altered("a dot at the front", |parts| format!(".{}", whole(parts))),
        altered("only dots", |_| "..".to_owned()),
        altered(
            "no header",
            |Parts {
                 payload, signature, ..
             }| { format!(".{payload}.{signature}") },
        ),
        altered(
            "no payload",
            |Parts {
                 header, signature, ..
             }| { format!("{header}..{signature}") },
        ),
        altered("the scheme twice", |parts| {
            format!("Bearer {}", whole(parts))
        }),
        altered(
            "a blank inside",
            |Parts {
                 header, payload, ..
             }| { format!("{header}. {payload}.x") },
        ),
        altered("8,192 letters", |_| "a".repeat(8192)),
        altered("another script", |parts| format!("ä{}", whole(parts))),
        encoded("a padded header", |header, payload| {
            format!("{header}={payload}")
        }),
        encoded("a padded payload", |header, payload| {
            format!("{header}.{payload}=")
        }),
        encoded("bits left over in the header", |header, payload| {
            format!("{}.{payload}", with_bits_left_over(header))
        }),
        encoded("the alphabet of base64", |header, payload| {
            format!("{header}.{}+/", &payload[..payload.len() / 4 * 4 - 2])
        }),
        (
            "8,193 letters",
            Recipe::Altered(|_| "a".repeat(8193)),
            Refused("TooLarge"),
        ),
        (
            "large but good",
            claim("x", "x".repeat(7000)),
            Refused("TooLarge"),
        ),
    ]
}
