//! The body of a Firebase callable
//! (<https://firebase.google.com/docs/functions/callable-reference>).

use http::{HeaderMap, header::CONTENT_TYPE};
use serde_json::{Map, Value, json};

use super::{Error, cloud_event::media_type, json as body_json};

const INT64_TYPE: &str = "type.googleapis.com/google.protobuf.Int64Value";
const UINT64_TYPE: &str = "type.googleapis.com/google.protobuf.UInt64Value";

/// The argument of a call: the body is exactly `{"data": …}`, its 64-bit integers unwrapped.
///
/// # Errors
/// Names the header or the member that is not as the protocol wants it.
pub fn decode(headers: &HeaderMap, body: &[u8]) -> Result<Value, Error> {
    if media_type(headers)?.as_deref() != Some("application/json") {
        return Err(Error::invalid(CONTENT_TYPE.as_str(), "`application/json`"));
    }
    let Value::Object(mut members) = body_json::parse(body)? else {
        return Err(Error::invalid("body", "an object"));
    };
    let data = members.remove("data");
    let data = data.ok_or_else(|| Error::Missing("data".to_owned()))?;
    match members.into_iter().next() {
        Some((name, _)) => Err(Error::Unexpected(name)),
        None => unwrap_integers(data, "data"),
    }
}

/// The body of a successful answer.
#[must_use]
pub fn result(value: Value) -> Value {
    json!({ "result": value })
}

fn unwrap_integers(value: Value, path: &str) -> Result<Value, Error> {
    match value {
        Value::Array(items) => {
            let items = items.into_iter().enumerate();
            items
                .map(|(index, item)| unwrap_integers(item, &format!("{path}[{index}]")))
                .collect()
        }
        Value::Object(members) if members.contains_key("@type") => unwrap_integer(&members, path),
        Value::Object(members) => {
            let members = members.into_iter().map(|(name, value)| {
                let value = unwrap_integers(value, &format!("{path}.{name}"))?;
                Ok((name, value))
            });
            members.collect::<Result<Map<_, _>, _>>().map(Value::Object)
        }
        plain => Ok(plain),
    }
}

fn unwrap_integer(wrapper: &Map<String, Value>, path: &str) -> Result<Value, Error> {
    let text = wrapper.get("value").and_then(Value::as_str);
    let number = match wrapper["@type"].as_str() {
        Some(INT64_TYPE) => text
            .and_then(|text| text.parse::<i64>().ok())
            .map(Value::from),
        Some(UINT64_TYPE) => text
            .and_then(|text| text.parse::<u64>().ok())
            .map(Value::from),
        _ => {
            let field = format!("{path}.@type");
            return Err(Error::invalid(field, "a wrapper of a 64-bit integer"));
        }
    };
    number.ok_or_else(|| Error::invalid(format!("{path}.value"), "a 64-bit integer as text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode_as(content_type: &str, body: &str) -> Result<Value, Error> {
        let headers = [(CONTENT_TYPE, content_type.parse().unwrap())];
        decode(&HeaderMap::from_iter(headers), body.as_bytes())
    }

    fn decode_json(body: &Value) -> Result<Value, Error> {
        decode_as("application/json", &body.to_string())
    }

    #[test]
    fn any_data_is_passed_on() {
        for data in [
            json!(null),
            json!(1),
            json!("x"),
            json!([]),
            json!({"a": {"value": "1"}}),
        ] {
            assert_eq!(decode_json(&json!({"data": data})).unwrap(), data);
        }
    }

    #[test]
    fn wrapped_integers_are_unwrapped_at_any_depth() {
        let wrap = |kind: &str, text: &str| json!({"@type": kind, "value": text});
        let data = decode_json(&json!({"data": {
            "least": wrap(INT64_TYPE, "-9223372036854775808"),
            "list": [{"greatest": wrap(UINT64_TYPE, "18446744073709551615")}],
        }}));
        let expected = json!({"least": i64::MIN, "list": [{"greatest": u64::MAX}]});
        assert_eq!(data.unwrap(), expected);
    }

    #[test]
    fn a_member_that_is_wrong_is_named() {
        let wrapped = |kind: &str, value: Value| json!({"data": [{"@type": kind, "value": value}]});
        let rows = [
            (json!({}), "data"),
            (json!({"result": 1}), "data"),
            (json!({"data": 1, "context": {}}), "context"),
            (json!([]), "body"),
            (json!(null), "body"),
            (
                wrapped("type.googleapis.com/google.protobuf.Any", json!("1")),
                "data[0].@type",
            ),
            (wrapped("", json!("1")), "data[0].@type"),
            (wrapped(INT64_TYPE, json!(1)), "data[0].value"),
            (wrapped(INT64_TYPE, json!("")), "data[0].value"),
            (wrapped(INT64_TYPE, json!("1.5")), "data[0].value"),
            (
                wrapped(INT64_TYPE, json!("9223372036854775808")),
                "data[0].value",
            ),
            (wrapped(UINT64_TYPE, json!("-1")), "data[0].value"),
            (json!({"data": {"a": {"@type": 1}}}), "data.a.@type"),
            (json!({"data": {"@type": INT64_TYPE}}), "data.value"),
        ];
        for (body, field) in rows {
            assert_eq!(decode_json(&body).unwrap_err().field(), field, "{body}");
        }
    }

    #[test]
    fn only_json_is_accepted() {
        let body = r#"{"data":1}"#;
        for accepted in ["application/json", "Application/JSON; charset=utf-8"] {
            assert!(decode_as(accepted, body).is_ok(), "{accepted}");
        }
        for refused in [
            "text/plain",
            "application/jsonp",
            "application/x-www-form-urlencoded",
            "",
        ] {
            let error = decode_as(refused, body).unwrap_err();
            assert_eq!(error.field(), "content-type", "{refused}");
        }
        let error = decode(&HeaderMap::new(), body.as_bytes()).unwrap_err();
        assert_eq!(error.field(), "content-type");
    }

    #[test]
    fn broken_and_deep_json_is_refused() {
        let deep = format!("{{\"data\":{}{}}}", "[".repeat(200), "]".repeat(200));
        for body in ["", "{", "{\"data\":1}x", &deep] {
            let error = decode_as("application/json", body).unwrap_err();
            assert_eq!(error.field(), "body");
        }
    }

    #[test]
    fn an_answer_is_wrapped() {
        assert_eq!(result(json!({"id": 1})), json!({"result": {"id": 1}}));
    }
}
