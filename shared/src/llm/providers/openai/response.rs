//! `CreateChatCompletionResponse`, read tolerantly: fields and values that are new do not break an
//! answer.

use serde::Deserialize;

use crate::llm::{
    ChatRequest, ChatResponse, Error, FinishReason, ToolCall, Usage, providers::http::malformed,
};

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
    tool_calls: Option<Vec<ToolCallBody>>,
}

#[derive(Deserialize)]
struct ToolCallBody {
    #[serde(default)]
    id: String,
    /// Absent for kinds of tools that we never offer.
    function: Option<FunctionBody>,
}

#[derive(Deserialize)]
struct FunctionBody {
    name: String,
    #[serde(default)]
    arguments: String,
}

/// `CompletionUsage`.
#[derive(Clone, Copy, Deserialize)]
pub(super) struct UsageBody {
    pub(super) prompt_tokens: Option<i64>,
    completion_tokens: Option<i64>,
    prompt_tokens_details: Option<InputDetails>,
    completion_tokens_details: Option<OutputDetails>,
}

#[derive(Clone, Copy, Deserialize)]
struct InputDetails {
    cached_tokens: Option<i64>,
    cache_write_tokens: Option<i64>,
}

#[derive(Clone, Copy, Deserialize)]
struct OutputDetails {
    reasoning_tokens: Option<i64>,
}

impl ResponseBody {
    pub(super) fn into_response(self, request: &ChatRequest) -> Result<ChatResponse, Error> {
        // Some compatible servers tell no usage: then the most that the call can have used
        // counts, so that nothing is had for free.
        let most = Usage {
            is_estimated: true,
            ..Usage::ceiling(request)
        };
        let usage = self.usage.map_or(most, |usage| usage.into_usage(most));
        let choice = self.choices.into_iter().next();
        let choice = choice.ok_or_else(|| malformed("the answer has no choices"))?;
        let AnswerBody {
            content,
            refusal,
            tool_calls,
        } = choice.message;
        Ok(ChatResponse {
            content: content.or(refusal).unwrap_or_default(),
            tool_calls: tool_calls.into_iter().flatten().filter_map(call).collect(),
            model: self.model.unwrap_or_else(|| request.model.clone()),
            usage,
            finish_reason: finish_reason(choice.finish_reason.as_deref()),
        })
    }
}

impl UsageBody {
    /// What is told, and what `untold` has for the rest.
    pub(super) fn into_usage(self, untold: Usage) -> Usage {
        let input = self.prompt_tokens_details;
        let cached = input.as_ref().and_then(|details| details.cached_tokens);
        let written = input.and_then(|details| details.cache_write_tokens);
        let reasoning = self
            .completion_tokens_details
            .and_then(|details| details.reasoning_tokens);
        let tokens = |told: Option<i64>, untold: i64| told.unwrap_or(untold).max(0);
        let told = Usage {
            input_tokens: tokens(self.prompt_tokens, untold.input_tokens),
            output_tokens: tokens(self.completion_tokens, untold.output_tokens),
            cached_tokens: tokens(cached, 0),
            cache_write_tokens: tokens(written, 0),
            reasoning_tokens: tokens(reasoning, 0),
            is_estimated: self.prompt_tokens.is_none() || self.completion_tokens.is_none(),
        };
        told.or_untold(untold)
    }
}

fn call(body: ToolCallBody) -> Option<ToolCall> {
    let function = body.function?;
    Some(ToolCall {
        id: body.id,
        name: function.name,
        arguments: function.arguments,
        signature: None,
    })
}

pub(super) fn finish_reason(reason: Option<&str>) -> FinishReason {
    match reason {
        Some("stop") => FinishReason::Stop,
        Some("length") => FinishReason::Length,
        Some("tool_calls" | "function_call") => FinishReason::ToolCalls,
        Some("content_filter") => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    }
}
