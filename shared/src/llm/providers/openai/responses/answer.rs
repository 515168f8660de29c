//! `Response`.

use serde::Deserialize;
use serde_json::Value;

use crate::llm::{
    ChatRequest, ChatResponse, Error, FinishReason, ToolCall, Usage,
    providers::{http::malformed, openai::refusal::ErrorBody},
};

#[derive(Deserialize)]
pub(in super::super) struct ResponsesAnswer {
    model: Option<String>,
    status: Option<String>,
    incomplete_details: Option<IncompleteDetails>,
    /// Told when the status is `failed`.
    error: Option<Value>,
    output: Vec<Item>,
    usage: Option<UsageBody>,
}

#[derive(Deserialize)]
struct IncompleteDetails {
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Item {
    Message {
        #[serde(default)]
        content: Vec<Content>,
    },
    FunctionCall {
        call_id: String,
        name: String,
        #[serde(default)]
        arguments: String,
    },
    /// Reasoning, and kinds that are new.
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Content {
    OutputText {
        text: String,
    },
    Refusal {
        refusal: String,
    },
    #[serde(other)]
    Unknown,
}

/// `ResponseUsage`.
#[derive(Deserialize)]
struct UsageBody {
    input_tokens: i64,
    output_tokens: i64,
    input_tokens_details: Option<InputDetails>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Deserialize)]
struct InputDetails {
    #[serde(default)]
    cached_tokens: i64,
    #[serde(default)]
    cache_write_tokens: i64,
}

#[derive(Deserialize)]
struct OutputDetails {
    #[serde(default)]
    reasoning_tokens: i64,
}

impl ResponsesAnswer {
    pub(in super::super) fn into_response(
        self,
        request: &ChatRequest,
    ) -> Result<ChatResponse, Error> {
        if let Some(error) = self.failure() {
            let told = self.usage();
            return Err(error.within_answer(told.is_some()).having_used(told));
        }
        if self.status.as_deref() == Some("queued") {
            return Err(malformed("the answer is not there yet"));
        }
        let most = Usage {
            is_estimated: true,
            ..Usage::ceiling(request)
        };
        let usage = self.usage().unwrap_or(most).or_untold(most);
        let mut content = String::new();
        let mut tool_calls = Vec::new();
        let (status, model) = (self.finish_reason(), self.model);
        for item in self.output {
            match item {
                Item::Message { content: parts } => content.extend(parts.into_iter().map(text)),
                Item::FunctionCall {
                    call_id,
                    name,
                    arguments,
                } => tool_calls.push(ToolCall {
                    id: call_id,
                    name,
                    arguments,
                    signature: None,
                }),
                Item::Unknown => {}
            }
        }
        Ok(ChatResponse {
            content,
            finish_reason: with_calls(status, !tool_calls.is_empty()),
            tool_calls,
            model: model.unwrap_or_else(|| request.model.clone()),
            usage,
        })
    }

    /// What the provider failed with, if it did.
    pub(super) fn failure(&self) -> Option<ErrorBody> {
        let error = self.error.as_ref().filter(|error| !error.is_null());
        let is_failed = self.status.as_deref() == Some("failed");
        (is_failed || error.is_some()).then(|| error.cloned().unwrap_or_default().into())
    }

    pub(super) fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    pub(super) fn usage(&self) -> Option<Usage> {
        let usage = self.usage.as_ref()?;
        let input = usage.input_tokens_details.as_ref();
        let output = usage.output_tokens_details.as_ref();
        Some(Usage {
            input_tokens: usage.input_tokens.max(0),
            output_tokens: usage.output_tokens.max(0),
            cached_tokens: input.map_or(0, |details| details.cached_tokens).max(0),
            cache_write_tokens: input.map_or(0, |details| details.cache_write_tokens).max(0),
            reasoning_tokens: output.map_or(0, |details| details.reasoning_tokens).max(0),
            is_estimated: false,
        })
    }

    /// Why the answer ends, calls of tools aside, which this interface does not count as a reason.
    pub(super) fn finish_reason(&self) -> FinishReason {
        let details = self.incomplete_details.as_ref();
        let reason = details.and_then(|details| details.reason.as_deref());
        match (self.status.as_deref(), reason) {
            (_, Some("max_output_tokens")) => FinishReason::Length,
            (_, Some("content_filter")) => FinishReason::ContentFilter,
            (Some("completed"), _) => FinishReason::Stop,
            _ => FinishReason::Other,
        }
    }
}

/// A complete answer that asks for tools ends for their sake.
pub(super) fn with_calls(reason: FinishReason, has_calls: bool) -> FinishReason {
    match reason {
        FinishReason::Stop if has_calls => FinishReason::ToolCalls,
        reason => reason,
    }
}

fn text(content: Content) -> String {
    match content {
        Content::OutputText { text } => text,
        Content::Refusal { refusal } => refusal,
        Content::Unknown => String::new(),
    }
}
