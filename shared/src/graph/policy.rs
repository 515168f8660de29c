use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    NodeKind,
    fields::Fields,
    schema::{self, Settings},
};

const MAX_TIMEOUT_SECS: u32 = 300;
const MAX_ATTEMPTS: u32 = 10;
const MAX_DELAY_MS: u64 = 300_000;
const DEFAULT_FIRST_DELAY_MS: u64 = 1000;
const DEFAULT_MAX_DELAY_MS: u64 = 30_000;

/// What happens when a node fails.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// `retry`: without it, one attempt.
    pub retry: Option<RetryPolicy>,
    /// `timeoutSecs`: how long an attempt may take; without it, the kind's own limit.
    pub timeout_secs: Option<u32>,
    /// `onError`: after the last attempt.
    pub on_error: OnError,
    /// `atMostOnce`: an attempt whose end is unknown is not repeated; only for kinds that act on
    /// something outside, and of itself for actions whose repeat would act again.
    pub at_most_once: bool,
}

/// How often and when to try again, with full jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, 1 to 10.
    pub attempts: u32,
    /// Longest wait after the first attempt, in milliseconds.
    pub first_delay_ms: u64,
    /// Longest wait after any attempt, in milliseconds.
    pub max_delay_ms: u64,
}

/// What happens to the run when a node has failed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The run fails.
    #[default]
    Fail,
    /// The run goes on; the node's output is `null`.
    Continue,
    /// The run goes on with this output.
    Default(Value),
    /// The run goes on at the handle `error`.
    Branch,
}

impl Policy {
    /// Reads the policy out of a node's data.
    pub(super) fn read(kind: NodeKind, fields: &mut Fields<'_>) -> Self {
        let retry = fields.object("retry", RetryPolicy::read).flatten();
        Self {
            retry,
            timeout_secs: fields.within("timeoutSecs", 1..=MAX_TIMEOUT_SECS),
            on_error: fields.optional("onError").unwrap_or_default(),
            at_most_once: read_at_most_once(kind, retry.is_some(), fields),
        }
    }

    /// The schema of a node's data with that of the policy.
    pub(super) fn schema(kind: NodeKind, settings: Settings) -> Settings {
        let timeout = "Seconds that an attempt may take.";
        let settings = settings
            .optional("retry", RetryPolicy::schema().into_field())
            .optional(
                "timeoutSecs",
                schema::integer(1..=MAX_TIMEOUT_SECS, timeout),
            )
            .optional("onError", OnError::schema());
        if !kind.has_effect() {
            return settings;
        }
        let about = "Whether an attempt whose end is unknown is not repeated.";
        let at_most_once = schema::with_default(schema::flag(about), kind.is_done_once());
        settings
            .optional("atMostOnce", at_most_once)
            .never(retried_at_most_once(kind))
    }
}

impl RetryPolicy {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let attempts = fields.required("attempts");
        let first_delay_ms = fields.optional("firstDelayMs");
        let max_delay_ms = fields.optional("maxDelayMs");
        let retry = Self {
            attempts: attempts?,
            first_delay_ms: first_delay_ms.unwrap_or(DEFAULT_FIRST_DELAY_MS),
            max_delay_ms: max_delay_ms.unwrap_or(DEFAULT_MAX_DELAY_MS),
        };
        is_sound(&retry, fields).then_some(retry)
    }

    fn schema() -> Settings {
        let first = schema::integer(0..=MAX_DELAY_MS, "Longest wait after the first attempt.");
        let longest = schema::integer(0..=MAX_DELAY_MS, "Longest wait after any attempt.");
        let attempts = schema::integer(1..=MAX_ATTEMPTS, "Attempts in all.");
        Settings::new("Retry", "How often and when to try again.")
            .required("attempts", attempts)
            .optional(
                "firstDelayMs",
                schema::with_default(first, DEFAULT_FIRST_DELAY_MS),
            )
            .optional(
                "maxDelayMs",
                schema::with_default(longest, DEFAULT_MAX_DELAY_MS),
            )
    }
}

impl OnError {
    fn schema() -> Value {
        let output = Settings::new("Default", "Goes on with this output.")
            .required("default", json!({ "description": "The output." }));
        let word = schema::words(&["fail", "continue", "branch"]);
        let field = json!({
            "anyOf": [word, output.into_field()],
            "description": "What happens after the last attempt.",
        });
        schema::with_default(field, "fail")
    }
}

fn read_at_most_once(kind: NodeKind, has_retry: bool, fields: &mut Fields<'_>) -> bool {
    if !kind.has_effect() {
        if fields.take("atMostOnce").is_some() {
            let message = "only nodes that act on something outside have it";
            fields.refuse("atMostOnce", message);
        }
        return false;
    }
    let given = fields.optional("atMostOnce");
    let at_most_once = given.unwrap_or(kind.is_done_once());
    if at_most_once && has_retry {
        match given {
            Some(_) => fields.refuse("atMostOnce", "must not be set together with `retry`"),
            None => fields.refuse("retry", "needs `atMostOnce` to be `false`"),
        }
    }
    at_most_once
}

/// What [`read_at_most_once`] refuses, as a schema.
fn retried_at_most_once(kind: NodeKind) -> Value {
    let is = |value: bool| {
        json!({
            "properties": { "atMostOnce": { "const": value } },
            "required": ["atMostOnce"],
        })
    };
    let is_at_most_once = match kind.is_done_once() {
        true => json!({ "not": is(false) }),
        false => is(true),
    };
    let is_retried = json!({
        "properties": { "retry": { "type": "object" } },
        "required": ["retry"],
    });
    json!({ "allOf": [is_at_most_once, is_retried] })
}

fn is_sound(retry: &RetryPolicy, fields: &mut Fields<'_>) -> bool {
    if !(1..=MAX_ATTEMPTS).contains(&retry.attempts) {
        fields.refuse("attempts", "must be between 1 and 10");
    } else if retry.max_delay_ms > MAX_DELAY_MS {
        fields.refuse("maxDelayMs", "must be at most 300000");
    } else if retry.first_delay_ms > retry.max_delay_ms {
        fields.refuse("firstDelayMs", "must not be above maxDelayMs");
    } else {
        return true;
    }
    false
}
