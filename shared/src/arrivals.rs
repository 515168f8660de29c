//! What a workflow asks of a mail that starts it: the conditions of an `onEmailReceived` trigger.

use serde_json::{Map, Value};

use crate::inputs::{Bindings, Condition};

/// The declaration's type.
const TYPE: &str = "onEmailReceived";

/// The condition in a language of its own.
const WHEN: &str = "when";

/// Most conditions on a received message.
const MAX_CONDITIONS: usize = 20;

/// Longest condition on a received message, in bytes.
const MAX_CONDITION_BYTES: usize = 1_000;

/// What is wrong with a condition, by its name; without one, with all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The condition.
    pub name: Option<String>,
    /// What is wrong.
    pub message: String,
}

/// What a mail must have to start a workflow. Without any condition, every mail does.
#[derive(Clone, Debug)]
pub struct MailConditions {
    /// Texts that fields of the message must have, in whatever case; one of a list's items, if the
    /// field is a list.
    texts: Vec<(String, String)>,
    when: Option<Condition>,
}

impl MailConditions {
    /// Reads the conditions of a declaration without its `type`.
    ///
    /// # Errors
    /// Returns all that is wrong.
    pub fn parse(conditions: &Map<String, Value>) -> Result<Self, Vec<Problem>> {
        if conditions.len() > MAX_CONDITIONS {
            return Err(vec![Problem {
                name: None,
                message: format!("must have at most {MAX_CONDITIONS} conditions"),
            }]);
        }
        let (mut texts, mut when, mut problems) = (Vec::new(), None, Vec::new());
        for (name, condition) in conditions {
            let read = text_of(condition).and_then(|text| match name == WHEN {
                true => compile(text).map(|condition| when = Some(condition)),
                false => {
                    texts.push((name.clone(), text.to_lowercase()));
                    Ok(())
                }
            });
            if let Err(message) = read {
                let name = Some(name.clone());
                problems.push(Problem { name, message });
            }
        }
        match problems.is_empty() {
            true => Ok(Self { texts, when }),
            false => Err(problems),
        }
    }

    /// The conditions of each trigger of this kind that a workflow declares; what a client has
    /// spoilt is left out.
    pub fn of_workflow(triggers: &[Value]) -> impl Iterator<Item = Self> {
        let declared = triggers.iter().filter_map(|trigger| {
            let mut declaration = trigger.as_object()?.clone();
            let kind = declaration.remove("type")?;
            (kind == TYPE).then_some(declaration)
        });
        declared.filter_map(|conditions| Self::parse(&conditions).ok())
    }

    /// Whether a message has all that is asked for. An expression that fails does not hold.
    #[must_use]
    pub fn hold(&self, message: &Value) -> bool {
        let has = |(name, text): &(String, String)| has_text(&message[name.as_str()], text);
        let holds = |when: &Condition| when.evaluate(&Bindings::new(message.clone()));
        self.texts.iter().all(has)
            && self
                .when
                .as_ref()
                .is_none_or(|when| holds(when).unwrap_or(false))
    }
}

fn text_of(condition: &Value) -> Result<&str, String> {
    match condition.as_str() {
        None => Err("must be text".to_owned()),
        Some(text) if text.len() > MAX_CONDITION_BYTES => {
            Err(format!("must be at most {MAX_CONDITION_BYTES} bytes"))
        }
        Some(text) => Ok(text),
    }
}

/// When it is evaluated there is no run yet, only what would start it.
fn compile(text: &str) -> Result<Condition, String> {
    let condition = Condition::compile(text).map_err(|error| error.to_string())?;
    match condition.references().is_empty() && !condition.uses_loop() {
        true => Ok(condition),
        false => Err("must be about `trigger` alone".to_owned()),
    }
}

/// Whether a text has another in it, or a list such an item.
fn has_text(field: &Value, text: &str) -> bool {
    match field {
        Value::String(field) => field.to_lowercase().contains(text),
        Value::Array(items) => items.iter().any(|item| has_text(item, text)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn conditions(conditions: Value) -> MailConditions {
        MailConditions::parse(conditions.as_object().unwrap()).unwrap()
    }

    #[test]
    fn a_mail_must_have_all_that_is_asked_for() {
        let mail = json!({
            "from": "Grace Hopper <grace@example.com>",
            "to": ["ada@example.com"],
            "subject": "Order 7",
            "labels": ["INBOX", "UNREAD"],
        });
        for (asked, holds) in [
            (json!({}), true),
            (json!({ "from": "@EXAMPLE.com", "labels": "inbox" }), true),
            (
                json!({ "from": "@example.com", "labels": "Label_7" }),
                false,
            ),
            (json!({ "cc": "ada" }), false),
            (json!({ "when": "trigger.subject.contains('Order')" }), true),
            (
                json!({ "when": "trigger.subject.contains('order')" }),
                false,
            ),
            (json!({ "when": "trigger.nothing.contains('x')" }), false),
        ] {
            assert_eq!(conditions(asked.clone()).hold(&mail), holds, "{asked}");
        }
    }

    #[test]
    fn spoilt_declarations_are_left_out() {
        let triggers = [
            json!(1),
            json!({ "type": "manual" }),
            json!({ "type": "onEmailReceived", "from": 1 }),
            json!({ "type": "onEmailReceived", "when": "nodes.a.output == 1" }),
            json!({ "type": "onEmailReceived", "from": "ada" }),
        ];
        assert_eq!(MailConditions::of_workflow(&triggers).count(), 1);
    }
}
