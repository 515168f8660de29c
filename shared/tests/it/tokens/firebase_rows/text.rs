//! What is not an object with unique keys.

use crate::tokens::forge::{Recipe, Row, Verdict::Malformed, encode};

/// `text`, an object, with `member` before its others.
fn adding(member: &str, text: &str) -> Vec<u8> {
    text.replacen('{', &format!("{{{member},"), 1).into_bytes()
}

fn header(name: &'static str, rewrite: fn(&str) -> Vec<u8>) -> Row {
    (name, Recipe::Header(rewrite), Malformed)
}

fn payload(name: &'static str, rewrite: fn(&str) -> Vec<u8>) -> Row {
    (name, Recipe::Payload(rewrite), Malformed)
}

pub(super) fn texts() -> Vec<Row> {
    vec![
        header("header is no JSON", |_| b"{".to_vec()),
        header("header is a list", |_| b"[]".to_vec()),
        header("header is not UTF-8", |_| b"{\"alg\":\"\xff\"}".to_vec()),
        header("alg twice", |text| adding(r#""alg":"none""#, text)),
        header("kid twice", |text| adding(r#""kid":"k2""#, text)),
        payload("payload is no JSON", |_| b"sub=uid1".to_vec()),
        payload("payload is text", |_| b"\"uid1\"".to_vec()),
        payload("payload is null", |_| b"null".to_vec()),
        payload("payload is a list", |text| format!("[{text}]").into_bytes()),
        payload("payload is a token", |text| encode(text).into_bytes()),
        payload("payload is not UTF-8", |text| {
            [&text.as_bytes()[..text.len() - 1], b",\"x\":\"\xff\"}"].concat()
        }),
        payload("a byte order mark", |text| {
            format!("\u{feff}{text}").into_bytes()
        }),
        payload("text after it", |text| format!("{text} x").into_bytes()),
        payload("two objects", |text| format!("{text}{text}").into_bytes()),
        payload("sub twice", |text| adding(r#""sub":"uid2""#, text)),
        payload("sub twice, escaped", |text| {
            adding(r#""s\u0075b":"uid2""#, text)
        }),
        payload("exp twice", |text| adding(r#""exp":9999999999"#, text)),
        payload("a nested key twice", |text| {
            adding(r#""x":{"a":1,"a":1}"#, text)
        }),
        payload("200 levels", |text| {
            let deep = format!(r#""x":{}{}"#, "[".repeat(200), "]".repeat(200));
            adding(&deep, text)
        }),
        payload("a number beyond all", |text| adding(r#""x":1e999"#, text)),
        payload("not a number", |text| adding(r#""x":NaN"#, text)),
    ]
}
