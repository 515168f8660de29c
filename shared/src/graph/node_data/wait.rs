use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    graph::{fields::Fields, schema::Settings},
    inputs::Template,
};

const MAX_WAIT_SECS: f64 = 30.0 * 24.0 * 60.0 * 60.0;

/// Settings of a wait.
#[derive(Clone, Debug)]
pub struct WaitData {
    /// Seconds, or text with an expression for them; see [`WaitData::duration`].
    pub seconds: Template,
}

impl WaitData {
    /// The time that a rendered `seconds` stands for: a number, or text of one, up to 30 days.
    pub fn duration(seconds: &Value) -> Option<Duration> {
        let seconds = match seconds {
            Value::String(text) => text.trim().parse().ok()?,
            other => other.as_f64()?,
        };
        if !(0.0..=MAX_WAIT_SECS).contains(&seconds) {
            return None;
        }
        Duration::try_from_secs_f64(seconds).ok()
    }

    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let is_text = fields.peek("seconds").is_some_and(Value::is_string);
        let seconds = fields.template("seconds")?;
        let is_sound = match seconds.literal() {
            Some(value) => Self::duration(value).is_some(),
            None => is_text,
        };
        if !is_sound {
            fields.refuse(
                "seconds",
                "must be a number of seconds, at most 2592000 (30 days)",
            );
            return None;
        }
        Some(Self { seconds })
    }

    pub(super) fn schema() -> Settings {
        let seconds = json!({
            "type": ["number", "string"],
            "minimum": 0,
            "maximum": MAX_WAIT_SECS,
            "pattern": r"^\s*\+?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$|\$\{",
            "description": "Seconds, or text with an expression for them; at most 30 days.",
            "x-expression": true,
        });
        Settings::new("Wait", "Lets time pass.").required("seconds", seconds)
    }
}
