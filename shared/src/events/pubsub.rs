use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    Error,
    json::{self, Members},
};
use crate::models::Timestamp;

/// A message that Pub/Sub pushes (<https://cloud.google.com/pubsub/docs/push#receive_push>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushMessage {
    /// Unique within the topic: the idempotency key.
    pub message_id: String,
    /// When the message was published.
    pub publish_time: Timestamp,
    /// `projects/<project>/subscriptions/<subscription>`.
    pub subscription: String,
    /// What the publisher said beside the data.
    pub attributes: BTreeMap<String, String>,
    /// The payload.
    pub data: Vec<u8>,
    /// Which attempt this is, from 1; told only for subscriptions with a dead-letter topic.
    pub delivery_attempt: Option<i64>,
}

impl PushMessage {
    /// Reads the envelope of a push.
    ///
    /// # Errors
    /// Names the first member that is not as it must be.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        let body = json::parse(body)?;
        let envelope = Members::of(&body, "")?;
        let message = Members::of(envelope.required("message")?, "message")?;
        let subscription = read_subscription(&envelope)?;
        let data = read_data(&message)?;
        let attributes = read_attributes(&message)?;
        if data.is_empty() && attributes.is_empty() {
            return Err(Error::Missing("message.data".to_owned()));
        }
        let published = either(&message, "publishTime", "publish_time")?;
        Ok(Self {
            message_id: either(&message, "messageId", "message_id")?.to_owned(),
            publish_time: json::parse_time(published, "message.publishTime")?,
            subscription,
            attributes,
            data,
            delivery_attempt: read_delivery_attempt(&envelope)?,
        })
    }
}

/// A member that has two spellings, which must not contradict each other.
fn either<'a>(members: &Members<'a>, name: &str, alias: &str) -> Result<&'a str, Error> {
    match (members.text(name)?, members.text(alias)?) {
        (Some(text), Some(other)) if text != other => {
            Err(Error::invalid(members.path(alias), "the same as its twin"))
        }
        (None, Some(_)) => members.required_text(alias),
        _ => members.required_text(name),
    }
}

fn read_subscription(envelope: &Members<'_>) -> Result<String, Error> {
    let subscription = envelope.required_text("subscription")?;
    let segments: Vec<_> = subscription.split('/').collect();
    match segments[..] {
        ["projects", project, "subscriptions", name] if !project.is_empty() && !name.is_empty() => {
            Ok(subscription.to_owned())
        }
        _ => Err(Error::invalid(
            "subscription",
            "`projects/<project>/subscriptions/<name>`",
        )),
    }
}

fn read_data(message: &Members<'_>) -> Result<Vec<u8>, Error> {
    let text = message.text("data")?.unwrap_or_default();
    STANDARD
        .decode(text)
        .map_err(|_| Error::invalid("message.data", "base64"))
}

fn read_attributes(message: &Members<'_>) -> Result<BTreeMap<String, String>, Error> {
    let Some(value) = message.get("attributes") else {
        return Ok(BTreeMap::new());
    };
    let attributes = Members::of(value, "message.attributes")?;
    let pairs = attributes.iter().map(|(name, value)| {
        let value = value.as_str();
        let value = value.ok_or_else(|| Error::invalid(attributes.path(name), "a string"))?;
        Ok((name.clone(), value.to_owned()))
    });
    pairs.collect()
}

fn read_delivery_attempt(envelope: &Members<'_>) -> Result<Option<i64>, Error> {
    let Some(value) = envelope.get("deliveryAttempt") else {
        return Ok(None);
    };
    let attempt = value.as_i64().filter(|attempt| *attempt >= 1);
    let attempt = attempt.ok_or_else(|| Error::invalid("deliveryAttempt", "a count from 1"))?;
    Ok(Some(attempt))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Recorded from Google's Pub/Sub emulator (Google Cloud SDK 528), one push a line.
    const RECORDED: &str = include_str!("../../tests/fixtures/pubsub-emulator-push.jsonl");

    fn envelope() -> Value {
        json!({
            "subscription": "projects/p/subscriptions/s",
            "message": {
                "data": "aGVsbG8=",
                "attributes": {"k": "v"},
                "messageId": "1",
                "message_id": "1",
                "publishTime": "2026-11-23T11:18:51.967Z",
                "publish_time": "2026-11-23T11:18:51.967Z",
                "orderingKey": "o",
            },
            "deliveryAttempt": 5,
        })
    }

    fn parse(envelope: &Value) -> Result<PushMessage, Error> {
        PushMessage::parse(envelope.to_string().as_bytes())
    }

    #[test]
    fn recorded_pushes_of_the_emulator_are_read() {
        assert!(RECORDED.lines().count() >= 4);
        for line in RECORDED.lines() {
            let request: Value = serde_json::from_str(line).unwrap();
            let body = request["body"].as_str().unwrap();
            let message = PushMessage::parse(body.as_bytes()).unwrap();
            assert_eq!(
                (message.message_id.as_str(), message.data.as_slice()),
                ("1", &b"hello"[..])
            );
            assert_eq!(message.attributes["k"], "v");
            assert_eq!(message.subscription, "projects/demo-p/subscriptions/wsub");
            assert_eq!(message.publish_time.to_string(), "2026-11-23T11:18:51.967Z");
            assert_eq!(message.delivery_attempt, None);
        }
    }

    #[test]
    fn the_delivery_attempt_is_read() {
        assert_eq!(parse(&envelope()).unwrap().delivery_attempt, Some(5));
    }

    #[test]
    fn either_spelling_and_either_content_will_do() {
        let base = json!({"messageId": "1", "publishTime": "2026-11-23T11:18:51Z"});
        let snake = json!({"message_id": "1", "publish_time": "2026-11-23T11:18:51Z"});
        let contents = [json!({"data": "aGk="}), json!({"attributes": {"k": ""}})];
        for names in [base, snake] {
            for content in &contents {
                let mut message = names.as_object().unwrap().clone();
                message.extend(content.as_object().unwrap().clone());
                let subscription = "projects/p/subscriptions/s";
                let envelope = json!({"subscription": subscription, "message": message});
                assert!(parse(&envelope).is_ok(), "{envelope}");
            }
        }
    }

    #[test]
    fn a_member_that_is_wrong_is_named() {
        let rows = [
            ("/subscription", json!(null), "subscription"),
            ("/subscription", json!("s"), "subscription"),
            (
                "/subscription",
                json!("projects//subscriptions/s"),
                "subscription",
            ),
            (
                "/subscription",
                json!("projects/p/subscriptions/s/x"),
                "subscription",
            ),
            ("/message", json!(null), "message"),
            ("/message", json!("aGVsbG8="), "message"),
            ("/message/messageId", json!(1), "message.messageId"),
            ("/message/messageId", json!(""), "message.message_id"),
            ("/message/message_id", json!("2"), "message.message_id"),
            (
                "/message/publish_time",
                json!("2026"),
                "message.publish_time",
            ),
            ("/message/data", json!("a"), "message.data"),
            ("/message/data", json!({}), "message.data"),
            ("/message/attributes", json!([]), "message.attributes"),
            ("/message/attributes/k", json!(1), "message.attributes.k"),
            ("/deliveryAttempt", json!("5"), "deliveryAttempt"),
            ("/deliveryAttempt", json!(0), "deliveryAttempt"),
        ];
        for (pointer, value, field) in rows {
            let mut envelope = envelope();
            *envelope.pointer_mut(pointer).unwrap() = value;
            let error = parse(&envelope).unwrap_err();
            assert_eq!(error.field(), field, "{envelope}");
        }
    }

    #[test]
    fn a_missing_member_is_named() {
        let rows = [
            (vec!["messageId", "message_id"], "message.messageId"),
            (vec!["publishTime", "publish_time"], "message.publishTime"),
            (vec!["data", "attributes"], "message.data"),
        ];
        for (names, field) in rows {
            let mut envelope = envelope();
            let message = envelope["message"].as_object_mut().unwrap();
            message.retain(|name, _| !names.contains(&name.as_str()));
            assert_eq!(parse(&envelope).unwrap_err().field(), field);
        }
    }

    #[test]
    fn what_is_not_an_object_is_refused() {
        for body in ["", "[]", "null", "\"x\"", "{", "{}{}"] {
            let error = PushMessage::parse(body.as_bytes()).unwrap_err();
            assert_eq!(error.field(), "body", "{body}");
        }
        assert_eq!(parse(&json!({})).unwrap_err().field(), "message");
    }
}
