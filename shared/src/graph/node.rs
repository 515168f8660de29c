use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{NodeData, fields::Fields, handle};

const MAX_TIMEOUT_SECS: u32 = 300;
const MAX_ATTEMPTS: u32 = 10;
const MAX_DELAY_MS: u64 = 300_000;

/// A valid node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Unique in the graph.
    pub id: String,
    /// What the editor shows, if it was named.
    pub label: Option<String>,
    /// What it does.
    pub data: NodeData,
    /// What happens when it fails.
    pub policy: Policy,
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// Begins every run; its output is the payload.
    Trigger,
    /// Asks an agent.
    Agent,
    /// Asks a model.
    Llm,
    /// Calls a URL.
    Http,
    /// Chooses a branch.
    Condition,
    /// Computes a value.
    Transform,
    /// Lets time pass.
    Wait,
    /// Sets the run's output.
    Output,
}

/// What happens when a node fails.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// `retry`: without it, one attempt.
    pub retry: Option<RetryPolicy>,
    /// `timeoutSecs`: how long an attempt may take; without it, the kind's own limit.
    pub timeout_secs: Option<u32>,
    /// `onError`: after the last attempt.
    pub on_error: OnError,
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

impl Node {
    /// What the node does.
    pub fn kind(&self) -> NodeKind {
        self.data.kind()
    }
}

impl NodeKind {
    /// The kind in the graph's `type`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::deserialize(serde::de::value::StrDeserializer::<serde::de::value::Error>::new(text))
            .ok()
    }

    /// The kind as the graph's `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Agent => "agent",
            Self::Llm => "llm",
            Self::Http => "http",
            Self::Condition => "condition",
            Self::Transform => "transform",
            Self::Wait => "wait",
            Self::Output => "output",
        }
    }

    /// The source handles of a node that succeeds.
    pub(super) fn handles(self) -> &'static [&'static str] {
        match self {
            Self::Condition => &[handle::TRUE, handle::FALSE],
            Self::Output => &[],
            _ => &[handle::OUT],
        }
    }
}

impl Policy {
    /// Reads the policy out of a node's data.
    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        let retry = fields
            .optional("retry")
            .filter(|retry| is_sound(retry, fields));
        Self {
            retry,
            timeout_secs: fields.within("timeoutSecs", 1..=MAX_TIMEOUT_SECS),
            on_error: fields.optional("onError").unwrap_or_default(),
        }
    }
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
