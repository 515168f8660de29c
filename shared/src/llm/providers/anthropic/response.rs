//! `Message`, read tolerantly: blocks and values that are new do not break an answer.

use serde::Deserialize;
use serde_json::Value;

use crate::llm::{ChatRequest, ChatResponse, FinishReason, ToolCall, Usage};

#[derive(Deserialize)]
pub(in super::super) struct ResponseBody {
    model: Option<String>,
    content: Vec<Block>,
    stop_reason: Option<String>,
    usage: Option<UsageBody>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block {
    Text {
        text: String,
    },
    ToolUse {
        id: String,
        name: String,
        #[serde(default)]
        input: Value,
    },
    /// Thinking, and kinds that are new.
    #[serde(other)]
    Unknown,
}

/// `Usage` and `MessageDeltaUsage`, which leaves out what has not changed.
#[derive(Clone, Copy, Default, Deserialize)]
pub(super) struct UsageBody {
    input_tokens: Option<i64>,
    cache_creation_input_tokens: Option<i64>,
    cache_read_input_tokens: Option<i64>,
    output_tokens: Option<i64>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Clone, Copy, Deserialize)]
struct OutputDetails {
    #[serde(default)]
    thinking_tokens: i64,
}

impl ResponseBody {
    pub(in super::super) fn into_response(self, request: &ChatRequest) -> ChatResponse {
        let most = Usage {
            is_estimated: true,
            ..Usage::ceiling(request)
        };
        let mut content = String::new();
        let mut tool_calls = Vec::new();
        for block in self.content {
            match block {
                Block::Text { text } => content.push_str(&text),
                Block::ToolUse { id, name, input } => tool_calls.push(ToolCall {
                    id,
                    name,
                    arguments: input.to_string(),
                    signature: None,
                }),
                Block::Unknown => {}
            }
        }
        ChatResponse {
            content,
            tool_calls,
            model: self.model.unwrap_or_else(|| request.model.clone()),
            usage: self.usage.unwrap_or_default().into_usage(most),
            finish_reason: finish_reason(self.stop_reason.as_deref()),
        }
    }
}

impl UsageBody {
    /// What is told later in a stream stands; what is not told again stays.
    pub(super) fn update(&mut self, later: Self) {
        let cache_creation = later.cache_creation_input_tokens;
        let cache_read = later.cache_read_input_tokens;
        *self = Self {
            input_tokens: later.input_tokens.or(self.input_tokens),
            cache_creation_input_tokens: cache_creation.or(self.cache_creation_input_tokens),
            cache_read_input_tokens: cache_read.or(self.cache_read_input_tokens),
            output_tokens: later.output_tokens.or(self.output_tokens),
            output_tokens_details: later.output_tokens_details.or(self.output_tokens_details),
        };
    }

    /// What is told, and what `untold` has for the rest. Input tokens are told without those that
    /// went into the cache or came out of it.
    pub(super) fn into_usage(self, untold: Usage) -> Usage {
        let tokens = |told: Option<i64>| told.unwrap_or(0).max(0);
        let written = tokens(self.cache_creation_input_tokens);
        let cached = tokens(self.cache_read_input_tokens);
        let input = self
            .input_tokens
            .map(|fresh| fresh.max(0) + written + cached);
        let thinking = self.output_tokens_details;
        let told = Usage {
            input_tokens: input.unwrap_or(untold.input_tokens),
            output_tokens: self.output_tokens.unwrap_or(untold.output_tokens).max(0),
            cached_tokens: cached,
            cache_write_tokens: written,
            reasoning_tokens: tokens(thinking.map(|details| details.thinking_tokens)),
            is_estimated: self.input_tokens.is_none() || self.output_tokens.is_none(),
        };
        told.or_untold(untold)
    }
}

pub(super) fn finish_reason(reason: Option<&str>) -> FinishReason {
    match reason {
        Some("end_turn" | "stop_sequence") => FinishReason::Stop,
        Some("max_tokens" | "model_context_window_exceeded") => FinishReason::Length,
        Some("tool_use") => FinishReason::ToolCalls,
        Some("refusal") => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    }
}
