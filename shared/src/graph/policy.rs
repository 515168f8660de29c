use serde::Deserialize;
use serde_json::Value;

use super::{NodeKind, fields::Fields};

const MAX_TIMEOUT_SECS: u32 = 300;
const MAX_ATTEMPTS: u32 = 10;
const MAX_DELAY_MS: u64 = 300_000;

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
    /// something outside.
    pub at_most_once: bool,
}

/// How often and when to try again, with full jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetryPolicy {
    /// Attempts in all, 1 to 10.
    pub attempts: u32,
    /// Longest wait after the first attempt, in milliseconds.
    #[serde(default = "default_first_delay_ms")]
    pub first_delay_ms: u64,
    /// Longest wait after any attempt, in milliseconds.
    #[serde(default = "default_max_delay_ms")]
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
        let retry = fields
            .optional("retry")
            .filter(|retry| is_sound(retry, fields));
        Self {
            retry,
            timeout_secs: fields.within("timeoutSecs", 1..=MAX_TIMEOUT_SECS),
            on_error: fields.optional("onError").unwrap_or_default(),
            at_most_once: read_at_most_once(kind, retry.is_some(), fields),
        }
    }
}

fn read_at_most_once(kind: NodeKind, has_retry: bool, fields: &mut Fields<'_>) -> bool {
    if kind.has_effect() {
        let at_most_once = fields.optional("atMostOnce").unwrap_or_default();
        if at_most_once && has_retry {
            fields.refuse("atMostOnce", "must not be set together with `retry`");
        }
        return at_most_once;
    }
    if fields.take("atMostOnce").is_some() {
        fields.refuse("atMostOnce", "only `agent`, `llm` and `http` nodes have it");
    }
    false
}

fn is_sound(retry: &RetryPolicy, fields: &mut Fields<'_>) -> bool {
    if !(1..=MAX_ATTEMPTS).contains(&retry.attempts) {
        fields.refuse("retry.attempts", "must be between 1 and 10");
    } else if retry.max_delay_ms > MAX_DELAY_MS {
        fields.refuse("retry.maxDelayMs", "must be at most 300000");
    } else if retry.first_delay_ms > retry.max_delay_ms {
        fields.refuse("retry.firstDelayMs", "must not be above maxDelayMs");
    } else {
        return true;
    }
    false
}

fn default_first_delay_ms() -> u64 {
    1000
}

fn default_max_delay_ms() -> u64 {
    30_000
}
