//! Which prompt gets which answer, as data.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::chat::{Prompt, Said};
use super::error::ApiError;

/// The data files; the first that fits answers.
const BUILT_IN: [&str; 12] = [
    include_str!("../../../stubs/openai/chat_classify_refund.json"),
    include_str!("../../../stubs/openai/chat_classify_question.json"),
    include_str!("../../../stubs/openai/chat_triage_billing.json"),
    include_str!("../../../stubs/openai/chat_triage_technical.json"),
    include_str!("../../../stubs/openai/chat_triage_other.json"),
    include_str!("../../../stubs/openai/chat_rate_limited.json"),
    include_str!("../../../stubs/openai/chat_overloaded_once.json"),
    include_str!("../../../stubs/openai/chat_quota_exceeded.json"),
    include_str!("../../../stubs/openai/chat_slow.json"),
    include_str!("../../../stubs/openai/chat_weather.json"),
    include_str!("../../../stubs/openai/chat_look_up.json"),
    include_str!("../../../stubs/openai/chat_quote.json"),
];

/// One rule: when all its conditions hold, its outcome is the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Answer {
    /// All of these are in the last user message, in any case.
    #[serde(default)]
    pub prompt_contains: Vec<String>,
    /// All of these are in the system and developer messages, in any case.
    #[serde(default)]
    pub system_contains: Vec<String>,
    /// Only for this model.
    #[serde(default)]
    pub model: Option<String>,
    /// How often it is used at most; without it, always.
    #[serde(default)]
    pub times: Option<u32>,
    /// Milliseconds before it is sent.
    #[serde(default)]
    pub delay_ms: u64,
    /// What is answered.
    pub outcome: Outcome,
}

/// What an [`Answer`] gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// This text.
    Content(String),
    /// This value as JSON text.
    Json(Value),
    /// A call of a tool, where it is offered and its result is not yet there.
    ToolCall(ScriptedCall),
    /// Out of what this tool, a search, has just told: the sentence that fits the last user message.
    Quote(String),
    /// An error.
    Error(ScriptedError),
}

/// A call of a tool as the model asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScriptedCall {
    /// The tool.
    pub name: String,
    /// What it is called with, an object. `{question}` stands for the last user message.
    pub arguments: Value,
}

/// Of a question, a search takes so many characters.
const MAX_QUESTION_CHARS: usize = 500;

/// An error as OpenAI answers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScriptedError {
    /// HTTP status, 400 to 599.
    pub status: u16,
    /// As `rate_limit_error`.
    #[serde(rename = "type")]
    pub kind: String,
    /// As `rate_limit_exceeded`.
    #[serde(default)]
    pub code: Option<String>,
    /// For people.
    pub message: String,
    /// The `Retry-After` header, in seconds.
    #[serde(default)]
    pub retry_after_secs: Option<u64>,
}

/// The answers in order, with how often each was used.
#[derive(Debug)]
pub(super) struct Script {
    answers: Vec<(Answer, AtomicU32)>,
}

impl Script {
    pub(super) fn new(mut answers: Vec<Answer>) -> anyhow::Result<Self> {
        for text in BUILT_IN {
            let answer = serde_json::from_str(text);
            answers.push(answer.with_context(|| format!("an answer does not parse: {text}"))?);
        }
        for answer in &answers {
            if let Outcome::Error(error) = &answer.outcome {
                ensure!(
                    (400..600).contains(&error.status),
                    "{} is no error",
                    error.status
                );
            }
        }
        let unused = |answer| (answer, AtomicU32::new(0));
        Ok(Self {
            answers: answers.into_iter().map(unused).collect(),
        })
    }

    pub(super) async fn answer(&self, prompt: &Prompt) -> Result<Said, ApiError> {
        let fitting = self.answers.iter().find(|(answer, used)| {
            answer.fits(prompt)
                && answer
                    .times
                    .is_none_or(|times| used.fetch_add(1, Ordering::Relaxed) < times)
        });
        let Some((answer, _)) = fitting else {
            return Ok(Said::Text(prompt.echo()));
        };
        if answer.delay_ms > 0 {
            wait(Duration::from_millis(answer.delay_ms)).await;
        }
        match &answer.outcome {
            Outcome::Content(content) => Ok(Said::Text(content.clone())),
            Outcome::Json(value) => Ok(Said::Text(value.to_string())),
            Outcome::ToolCall(call) => Ok(Said::Call(call.about(&prompt.user))),
            Outcome::Quote(_) => Ok(Said::Text(prompt.quote())),
            Outcome::Error(error) => Err(error.into()),
        }
    }
}

impl ScriptedCall {
    /// The call in which each `{question}` is this one.
    fn about(&self, question: &str) -> Self {
        let question: String = question.chars().take(MAX_QUESTION_CHARS).collect();
        let mut call = self.clone();
        for argument in call.arguments.as_object_mut().into_iter().flatten() {
            if *argument.1 == "{question}" {
                *argument.1 = question.as_str().into();
            }
        }
        call
    }
}

impl Answer {
    fn fits(&self, prompt: &Prompt) -> bool {
        let contains = |text: &str, parts: &[String]| {
            let text = text.to_lowercase();
            parts.iter().all(|part| text.contains(&part.to_lowercase()))
        };
        let is_possible = match &self.outcome {
            Outcome::ToolCall(call) => prompt.may_call(&call.name),
            Outcome::Quote(tool) => prompt.was_told_by(tool),
            _ => true,
        };
        is_possible
            && contains(&prompt.user, &self.prompt_contains)
            && contains(&prompt.system, &self.system_contains)
            && self
                .model
                .as_ref()
                .is_none_or(|model| *model == prompt.model)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a scripted delay is the stub's behaviour, not a wait for something"
)]
async fn wait(delay: Duration) {
    tokio::time::sleep(delay).await;
}
