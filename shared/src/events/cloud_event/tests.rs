use serde_json::json;

use super::*;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name: http::HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

const BINARY: [(&str, &str); 7] = [
    ("Content-Type", "application/json"),
    ("ce-specversion", "1.0"),
    ("ce-id", "e1"),
    ("ce-source", "//firestore.googleapis.com/projects/p"),
    ("ce-type", "example.created"),
    ("ce-time", "2026-11-23T11:17:01Z"),
    ("ce-location", "us-central1"),
];

fn parse_with(name: &str, value: &str) -> Result<CloudEvent, Error> {
    let mut headers = headers(&BINARY);
    headers.insert(
        name.parse::<http::HeaderName>().unwrap(),
        HeaderValue::from_bytes(value.as_bytes()).unwrap(),
    );
    CloudEvent::parse(&headers, Bytes::new())
}

fn parse_json(body: &Value) -> Result<CloudEvent, Error> {
    let headers = headers(&[("content-type", "application/cloudevents+json")]);
    CloudEvent::parse(&headers, body.to_string().into())
}

fn structured() -> Value {
    json!({
        "specversion": "1.0",
        "id": "e1",
        "source": "//firestore.googleapis.com/projects/p",
        "type": "example.created",
        "time": "2026-11-23T11:17:01Z",
        "datacontenttype": "application/json",
        "location": "us-central1",
        "data": {"a": 1},
    })
}

#[test]
fn both_modes_give_the_same_event() {
    let body = Bytes::from_static(br#"{"a":1}"#);
    let binary = CloudEvent::parse(&headers(&BINARY), body).unwrap();
    assert_eq!(binary, parse_json(&structured()).unwrap());
    assert_eq!(binary.kind, "example.created");
    assert_eq!(binary.extensions["location"], "us-central1");
    assert_eq!(binary.extensions.len(), 1);
    assert_eq!(
        binary.data_content_type.as_deref(),
        Some("application/json")
    );
}

#[test]
fn a_missing_header_is_named() {
    for missing in ["ce-specversion", "ce-id", "ce-source", "ce-type"] {
        let mut headers = headers(&BINARY);
        headers.remove(missing);
        let error = CloudEvent::parse(&headers, Bytes::new()).unwrap_err();
        assert_eq!(error.field(), missing);
    }
}

#[test]
fn a_wrong_header_is_named() {
    let rows = [
        ("ce-specversion", "0.3"),
        ("ce-id", ""),
        ("ce-source", ""),
        ("ce-time", "yesterday"),
        ("ce-subject", "%FF"),
        ("content-type", "application/cloudevents-batch+json"),
        ("content-type", "application/cloudevents+avro"),
    ];
    for (name, value) in rows {
        assert_eq!(
            parse_with(name, value).unwrap_err().field(),
            name,
            "{value}"
        );
    }
}

#[test]
fn a_repeated_header_is_refused() {
    for repeated in ["ce-id", "content-type"] {
        let mut headers = headers(&BINARY);
        let name: http::HeaderName = repeated.parse().unwrap();
        headers.append(name, HeaderValue::from_static("e2"));
        let error = CloudEvent::parse(&headers, Bytes::new()).unwrap_err();
        assert_eq!(error.field(), repeated);
    }
}

#[test]
fn header_values_are_percent_decoded() {
    let event = parse_with("ce-subject", "documents/agents/Euro%20%E2%82%AC").unwrap();
    assert_eq!(event.subject.as_deref(), Some("documents/agents/Euro €"));
}

#[test]
fn a_member_that_is_wrong_is_named() {
    let rows = [
        ("specversion", json!("1.1")),
        ("specversion", json!(1)),
        ("id", json!("")),
        ("id", json!(null)),
        ("source", json!({})),
        ("type", json!([])),
        ("time", json!("noon")),
        ("data_base64", json!("AA==")),
        ("data_base64", json!(1)),
    ];
    for (name, value) in rows {
        let mut body = structured();
        body[name] = value;
        assert_eq!(parse_json(&body).unwrap_err().field(), name, "{body}");
    }
}

#[test]
fn base64_data_is_decoded() {
    let mut body = structured();
    body.as_object_mut().unwrap().remove("data");
    assert_eq!(parse_json(&body).unwrap().data, Bytes::new());
    body["data_base64"] = json!("AAH/");
    assert_eq!(
        parse_json(&body).unwrap().data,
        Bytes::from_static(&[0, 1, 255])
    );
    body["data_base64"] = json!("A");
    assert_eq!(parse_json(&body).unwrap_err().field(), "data_base64");
}

#[test]
fn a_structured_body_that_is_not_an_object_is_refused() {
    for body in [json!([structured()]), json!(null), json!("x")] {
        assert_eq!(parse_json(&body).unwrap_err().field(), "body");
    }
}

#[test]
fn a_repeat_has_the_same_key_and_other_events_have_not() {
    let event = parse_json(&structured()).unwrap();
    let repeat = CloudEvent {
        time: None,
        ..event.clone()
    };
    assert_eq!(event.idempotency_key(), repeat.idempotency_key());
    let other_id = CloudEvent {
        id: "e2".to_owned(),
        ..event.clone()
    };
    let other_source = CloudEvent {
        source: "//other".to_owned(),
        ..event.clone()
    };
    assert_ne!(event.idempotency_key(), other_id.idempotency_key());
    assert_ne!(event.idempotency_key(), other_source.idempotency_key());
}
