use gcloud_sdk::google::firestore::v1::{ArrayValue, MapValue, value::ValueType};
use http::{HeaderMap, HeaderName};

use super::*;

/// Recorded from Google's Firestore emulator (Google Cloud SDK 528, started with
/// `--functions_emulator`): a create, an update and a delete of `agents/a1`.
const RECORDED: &str = include_str!("../../../tests/fixtures/firestore-emulator-events.json");

fn recorded() -> Vec<CloudEvent> {
    let requests: Vec<serde_json::Value> = serde_json::from_str(RECORDED).unwrap();
    requests.iter().map(recorded_event).collect()
}

fn recorded_event(request: &serde_json::Value) -> CloudEvent {
    let headers = request["headers"].as_object().unwrap().iter();
    let headers: HeaderMap = headers
        .map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, value.as_str().unwrap().parse().unwrap())
        })
        .collect();
    let body = request["body"].as_str().unwrap().to_owned();
    CloudEvent::parse(&headers, body.into()).unwrap()
}

fn written(data: Vec<u8>) -> CloudEvent {
    let mut event = recorded().remove(0);
    event.kind = DOCUMENT_WRITTEN.to_owned();
    event.data = data.into();
    event
}

fn document(path: &str) -> Document {
    Document {
        name: format!("projects/p/databases/(default)/documents/{path}"),
        ..Document::default()
    }
}

fn value(value_type: ValueType) -> Value {
    Value {
        value_type: Some(value_type),
    }
}

#[test]
fn recorded_events_of_the_emulator_are_read() {
    let events = recorded();
    assert!(events.len() >= 5);
    for event in &events {
        let change = DocumentEvent::parse(event).unwrap();
        assert_eq!(change.path, "agents/a1", "{}", event.kind);
        let kind = event.kind.trim_end_matches(KIND_SUFFIX);
        match kind.rsplit('.').next().unwrap() {
            "created" => assert!(change.value.is_some() && change.old_value.is_none()),
            "updated" => assert!(change.value.is_some() && change.old_value.is_some()),
            "deleted" => assert!(change.value.is_none() && change.old_value.is_some()),
            _ => assert_eq!(change.value.is_some(), change.update_time.is_some()),
        }
    }
}

#[test]
fn the_fields_of_a_recorded_event_are_read() {
    let change = DocumentEvent::parse(&recorded()[0]).unwrap();
    let fields = change.value.unwrap().fields;
    assert_eq!(
        fields["name"],
        value(ValueType::StringValue("x".to_owned()))
    );
    assert_eq!(fields["n"], value(ValueType::IntegerValue(3)));
    let update_time = change.update_time.unwrap().to_string();
    assert_eq!(update_time, "2026-11-23T11:17:01.051634Z");
}

/// Field numbers of `Value` in `google.events.cloud.firestore.v1`, written down by hand.
#[test]
fn every_value_type_has_its_field_number() {
    let types = [
        (1, ValueType::BooleanValue(true)),
        (2, ValueType::IntegerValue(1)),
        (3, ValueType::DoubleValue(0.5)),
        (5, ValueType::ReferenceValue("r".to_owned())),
        (6, ValueType::MapValue(MapValue::default())),
        (
            8,
            ValueType::GeoPointValue(gcloud_sdk::google::r#type::LatLng::default()),
        ),
        (9, ValueType::ArrayValue(ArrayValue::default())),
        (
            10,
            ValueType::TimestampValue(gcloud_sdk::prost_types::Timestamp::default()),
        ),
        (11, ValueType::NullValue(0)),
        (17, ValueType::StringValue("s".to_owned())),
        (18, ValueType::BytesValue(vec![0])),
    ];
    for (number, value_type) in types {
        let bytes = value(value_type.clone()).encode_to_vec();
        // A tag is a varint: the field number above three bits of wire type.
        let tag = prost::encoding::decode_varint(&mut bytes.as_slice()).unwrap();
        assert_eq!(tag >> 3, number, "{value_type:?}");
    }
}

#[test]
fn what_is_encoded_is_read_back() {
    let mut new = document("triggers/t1");
    new.fields
        .insert("n".to_owned(), value(ValueType::IntegerValue(1)));
    let rows = [
        (Some(new.clone()), None),
        (Some(new.clone()), Some(document("triggers/t1"))),
        (None, Some(new)),
    ];
    for (value, old_value) in rows {
        let data = encode_written(value.clone(), old_value.clone());
        let change = DocumentEvent::parse(&written(data)).unwrap();
        assert_eq!(change.path, "triggers/t1");
        assert_eq!((change.value, change.old_value), (value, old_value));
    }
}

#[test]
fn documents_below_documents_keep_their_whole_path() {
    let nested = "executions/e1/logs/documents";
    let data = encode_written(Some(document(nested)), None);
    assert_eq!(DocumentEvent::parse(&written(data)).unwrap().path, nested);
}

#[test]
fn base64_text_that_passes_for_another_message_is_read_as_text() {
    let mut deleted = Document {
        name: "projects/demog/databases/(default)/documents/triggers/ccc".to_owned(),
        ..Document::default()
    };
    let text = value(ValueType::StringValue("y".repeat(175)));
    deleted.fields.insert("x".to_owned(), text);
    let body = STANDARD.encode(encode_written(None, Some(deleted)));
    let mistaken = EventData::decode(body.as_bytes());
    assert_eq!(mistaken, Ok(EventData::default()), "a collision");
    let change = DocumentEvent::parse(&written(body.into_bytes())).unwrap();
    assert_eq!(change.path, "triggers/ccc");
}

#[test]
fn a_body_without_a_document_is_refused() {
    let text = STANDARD.encode(encode_written(None, None));
    let bodies = [
        (Vec::new(), "data.value"),
        (encode_written(None, None), "data.value"),
        (text.into_bytes(), "data.value"),
        (br#"{"value":{}}"#.to_vec(), "body"),
        (b"CmoKN3Byb2plY3Rz".to_vec(), "body"),
        (vec![0x0a, 0xff], "body"),
    ];
    for (body, field) in bodies {
        let error = DocumentEvent::parse(&written(body.clone())).unwrap_err();
        assert_eq!(error.field(), field, "{body:?}");
    }
}

#[test]
fn names_that_do_not_fit_are_refused() {
    let unnamed = encode_written(Some(Document::default()), None);
    let error = DocumentEvent::parse(&written(unnamed)).unwrap_err();
    assert_eq!(error.field(), "data.value.name");
    let two = encode_written(Some(document("a/1")), Some(document("a/2")));
    let error = DocumentEvent::parse(&written(two)).unwrap_err();
    assert_eq!(error.field(), "data.old_value.name");
}

#[test]
fn other_events_are_refused() {
    let kinds = [
        "google.cloud.firestore.document.v1.",
        "google.cloud.firestore.document.v1.moved",
        "google.cloud.firestore.document.v2.written",
        "google.cloud.datastore.entity.v1.written",
        ".withAuthContext",
    ];
    for kind in kinds {
        let mut event = written(encode_written(Some(document("a/1")), None));
        event.kind = kind.to_owned();
        let error = DocumentEvent::parse(&event).unwrap_err();
        assert_eq!(error.field(), "type", "{kind}");
    }
}
