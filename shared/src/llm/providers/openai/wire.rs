//! The wire format, read tolerantly: fields and values that are new do not break an answer.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::llm::{ChatRequest, ChatResponse, Error, FinishReason, OutputFormat, Role, Usage};

/// `CreateChatCompletionRequest`.
#[derive(Serialize)]
pub(super) struct RequestBody<'a> {
    model: &'a str,
    messages: Vec<MessageBody>,
    /// Replaces `max_tokens`, which is deprecated and which reasoning models refuse.
    max_completion_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat>,
}

#[derive(Serialize)]
struct MessageBody {
    role: &'static str,
    content: String,
}

#[derive(Serialize)]
struct ResponseFormat {
    #[serde(rename = "type")]
    kind: &'static str,
}

impl<'a> RequestBody<'a> {
    pub(super) fn new(request: &'a ChatRequest) -> Self {
        let messages = request.messages.iter().map(|message| MessageBody {
            role: role_name(message.role),
            content: message.text(),
        });
        Self {
            model: &request.model,
            messages: messages.collect(),
            max_completion_tokens: request.max_output_tokens,
            temperature: request.temperature,
            response_format: match request.output {
                OutputFormat::Text => None,
                _ => Some(ResponseFormat {
                    kind: "json_object",
                }),
            },
        }
    }
}

/// `CreateChatCompletionResponse`.
#[derive(Deserialize)]
pub(super) struct ResponseBody {
    model: Option<String>,
    choices: Vec<Choice>,
    usage: Option<UsageBody>,
}

#[derive(Deserialize)]
struct Choice {
    message: AnswerBody,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct AnswerBody {
    content: Option<String>,
    refusal: Option<String>,
}

#[derive(Deserialize)]
struct UsageBody {
    prompt_tokens: Option<i64>,
    completion_tokens: Option<i64>,
    prompt_tokens_details: Option<InputDetails>,
    completion_tokens_details: Option<OutputDetails>,
}

#[derive(Deserialize)]
struct InputDetails {
    cached_tokens: Option<i64>,
}

#[derive(Deserialize)]
struct OutputDetails {
    reasoning_tokens: Option<i64>,
}

impl ResponseBody {
    pub(super) fn into_response(self, request: &ChatRequest) -> Result<ChatResponse, Error> {
        let usage = usage(self.usage, request);
        let choice = self.choices.into_iter().next();
        let choice = choice.ok_or_else(|| Error::Malformed("the answer has no choices".into()))?;
        let AnswerBody { content, refusal } = choice.message;
        Ok(ChatResponse {
            content: content.or(refusal).unwrap_or_default(),
            tool_calls: Vec::new(),
            model: self.model.unwrap_or_else(|| request.model.clone()),
            usage,
            finish_reason: finish_reason(choice.finish_reason.as_deref()),
        })
    }
}

/// Some compatible servers tell no usage: then the most that the call can have used counts, so
/// that nothing is had for free.
fn usage(body: Option<UsageBody>, request: &ChatRequest) -> Usage {
    let ceiling = Usage::ceiling(request);
    let Some(body) = body else {
        return Usage {
            is_estimated: true,
            ..ceiling
        };
    };
    let cached = body
        .prompt_tokens_details
        .and_then(|details| details.cached_tokens);
    let reasoning = body
        .completion_tokens_details
        .and_then(|details| details.reasoning_tokens);
    Usage {
        input_tokens: body.prompt_tokens.unwrap_or(ceiling.input_tokens).max(0),
        output_tokens: body
            .completion_tokens
            .unwrap_or(ceiling.output_tokens)
            .max(0),
        cached_tokens: cached.unwrap_or(0).max(0),
        reasoning_tokens: reasoning.unwrap_or(0).max(0),
        is_estimated: body.prompt_tokens.is_none() || body.completion_tokens.is_none(),
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    }
}

fn finish_reason(reason: Option<&str>) -> FinishReason {
    match reason {
        Some("stop") => FinishReason::Stop,
        Some("length") => FinishReason::Length,
        Some("tool_calls" | "function_call") => FinishReason::ToolCalls,
        Some("content_filter") => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    }
}

/// `{"error": {"message", "type", "param", "code"}}`
/// (<https://platform.openai.com/docs/guides/error-codes>).
#[derive(Default, Deserialize)]
pub(super) struct ErrorBody {
    #[serde(default)]
    error: Value,
}

/// Codes and types of a 429 that waiting does not cure.
const OUT_OF_CREDIT: [&str; 3] = [
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
];

impl ErrorBody {
    /// The error's code, or else its type; never its message, which may quote the request.
    pub(super) fn code(&self) -> Option<String> {
        let name = |text: &&str| !text.is_empty() && text.len() <= 64 && is_name(text);
        self.names().find(name).map(str::to_owned)
    }

    pub(super) fn is_out_of_credit(&self) -> bool {
        self.names().any(|name| OUT_OF_CREDIT.contains(&name))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        ["code", "type"]
            .into_iter()
            .filter_map(|field| self.error.get(field)?.as_str())
    }
}

fn is_name(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}
