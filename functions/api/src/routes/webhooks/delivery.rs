//! A request to a webhook as data: whatever its media type, JSON comes out.

use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use serde_json::{Map, Value};
use shared::http::{ApiError, parse_json};
use url::form_urlencoded;

use crate::webhooks::Delivery;

/// Headers that a workflow gets to see: what the event is, never what proves who sent it.
const SHOWN: [&str; 11] = [
    "content-type",
    "user-agent",
    "webhook-id",
    "webhook-timestamp",
    "x-event-key",
    "x-event-type",
    "x-github-delivery",
    "x-github-event",
    "x-gitlab-event",
    "x-shopify-topic",
    "x-shopify-webhook-id",
];

/// Headers that are equal for repeats of the same event, the first that is there counts.
const KEYS: [&str; 3] = ["webhook-id", "idempotency-key", "x-github-delivery"];

/// Longest key, in characters.
const MAX_KEY_LEN: usize = 255;

/// The request as data.
pub(super) fn read(headers: &HeaderMap, query: &str, body: &[u8]) -> Result<Delivery, ApiError> {
    let shown = SHOWN.iter().filter_map(|name| {
        let value = header(headers, name)?;
        Some(((*name).to_owned(), Value::from(value)))
    });
    Ok(Delivery {
        key: key(headers)?,
        body: parse_body(headers, body)?,
        query: pairs(query.as_bytes()),
        headers: Value::Object(shown.collect()),
    })
}

/// A header that was sent once, as text.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(name) = KEYS.iter().find(|name| headers.contains_key(**name)) else {
        return Ok(None);
    };
    let key = header(headers, name).filter(|key| {
        let is_visible = key.bytes().all(|byte| byte.is_ascii_graphic());
        is_visible && (1..=MAX_KEY_LEN).contains(&key.len())
    });
    let refuse = || {
        let message =
            format!("must be sent once, with 1 to {MAX_KEY_LEN} visible ASCII characters");
        ApiError::invalid_field(*name, message)
    };
    Ok(Some(key.ok_or_else(refuse)?.to_owned()))
}

fn parse_body(headers: &HeaderMap, body: &[u8]) -> Result<Value, ApiError> {
    let media_type = header(headers, CONTENT_TYPE.as_str()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default();
    match media_type.trim().to_ascii_lowercase().as_str() {
        "" if body.is_empty() => Ok(Value::Null),
        "application/x-www-form-urlencoded" => Ok(pairs(body)),
        json if json == "application/json" || json.ends_with("+json") => parse_json(body),
        text if text.starts_with("text/") => match std::str::from_utf8(body) {
            Ok(text) => Ok(Value::from(text)),
            Err(_) => Err(ApiError::invalid_field("body", "must be UTF-8")),
        },
        _ => {
            let message = "must be JSON, text or `application/x-www-form-urlencoded`";
            let error = ApiError::invalid_field("Content-Type", message);
            Err(error.with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE))
        }
    }
}

/// Names and values as an object; a name that comes several times has a list.
fn pairs(text: &[u8]) -> Value {
    let mut object = Map::new();
    for (name, value) in form_urlencoded::parse(text) {
        let value = Value::from(value);
        match object.get_mut(name.as_ref()) {
            None => {
                object.insert(name.into_owned(), value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use serde_json::json;

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            let name: HeaderName = name.parse().unwrap();
            (name, value.parse().unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn body_of(media_type: &str, body: &[u8]) -> Result<Value, ApiError> {
        let headers = headers(&[("content-type", media_type)]);
        read(&headers, "", body).map(|delivery| delivery.body)
    }

    #[test]
    fn json_forms_and_text_become_json() {
        let cases: [(&str, &[u8], Value); 6] = [
            (
                "application/json; charset=utf-8",
                b"[1, null]",
                json!([1, null]),
            ),
            ("application/cloudevents+json", b"{}", json!({})),
            ("Application/JSON", b"\"x\"", json!("x")),
            (
                "application/x-www-form-urlencoded",
                b"a=1&b=x+y&a=%C3%A4&a=",
                json!({ "a": ["1", "\u{e4}", ""], "b": "x y" }),
            ),
            ("text/plain", "\u{e4}".as_bytes(), json!("\u{e4}")),
            ("text/xml", b"<a/>", json!("<a/>")),
        ];
        for (media_type, body, expected) in cases {
            assert_eq!(body_of(media_type, body).unwrap(), expected, "{media_type}");
        }
        assert_eq!(read(&headers(&[]), "", b"").unwrap().body, Value::Null);
    }

    #[test]
    fn other_bodies_are_refused() {
        let cases: [(&str, &[u8], u16); 5] = [
            ("application/json", b"{", 400),
            ("application/json", b"", 400),
            ("text/plain", b"\xff", 400),
            ("application/octet-stream", b"x", 415),
            ("", b"x", 415),
        ];
        for (media_type, body, status) in cases {
            let error = body_of(media_type, body).unwrap_err();
            assert_eq!(error.status(), status, "{media_type}");
        }
    }

    #[test]
    fn what_proves_the_sender_is_not_shown() {
        let headers = headers(&[
            ("x-github-event", "push"),
            ("authorization", "Bearer x"),
            ("cookie", "a=b"),
            ("webhook-signature", "v1,x"),
            ("x-hub-signature-256", "sha256=x"),
            ("x-forwarded-for", "192.0.2.1"),
        ]);
        let delivery = read(&headers, "a=1", b"").unwrap();
        assert_eq!(delivery.headers, json!({ "x-github-event": "push" }));
        assert_eq!(delivery.query, json!({ "a": "1" }));
    }

    #[test]
    fn the_first_known_header_is_the_key() {
        let all = [
            ("x-github-delivery", "c"),
            ("idempotency-key", "b"),
            ("webhook-id", "a"),
        ];
        for (count, expected) in [(3, "a"), (2, "b"), (1, "c")] {
            let delivery = read(&headers(&all[..count]), "", b"").unwrap();
            assert_eq!(delivery.key.as_deref(), Some(expected));
        }
        assert_eq!(read(&headers(&[]), "", b"").unwrap().key, None);
        for key in ["", "a b", &"x".repeat(256)] {
            assert!(
                read(&headers(&[("webhook-id", key)]), "", b"").is_err(),
                "{key}"
            );
        }
    }
}
