//! `GenerateContentResponse`, read tolerantly: parts and values that are new do not break an answer.

use serde::Deserialize;
use serde_json::Value;

use super::request::OWN_ID;
use crate::{
    ids::random_token,
    llm::{
        ChatRequest, ChatResponse, Error, FinishReason, ToolCall, Usage, providers::http::malformed,
    },
};

/// OpenAI takes ids of calls of at most 40 characters, in case it goes on with the conversation.
const OWN_ID_DIGITS: usize = 32;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct ResponseBody {
    #[serde(default)]
    candidates: Vec<Candidate>,
    prompt_feedback: Option<PromptFeedback>,
    usage_metadata: Option<UsageBody>,
    model_version: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    #[serde(default)]
    content: Content,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Content {
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    text: Option<String>,
    /// Whether the text is the model's reasoning.
    #[serde(default)]
    thought: bool,
    thought_signature: Option<String>,
    function_call: Option<FunctionCall>,
}

#[derive(Deserialize)]
struct FunctionCall {
    id: Option<String>,
    name: String,
    args: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PromptFeedback {
    block_reason: Option<String>,
}

/// `UsageMetadata`; what is zero is left out, as in all of Google's JSON.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UsageBody {
    #[serde(default)]
    prompt_token_count: i64,
    #[serde(default)]
    tool_use_prompt_token_count: i64,
    #[serde(default)]
    cached_content_token_count: i64,
    #[serde(default)]
    candidates_token_count: i64,
    #[serde(default)]
    thoughts_token_count: i64,
}

/// What one answer, or a chunk of it, says.
#[derive(Default)]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) calls: Vec<ToolCall>,
    pub(super) model: Option<String>,
    pub(super) usage: Option<Usage>,
    /// Calls of tools aside, which Gemini does not count as a reason.
    pub(super) finish_reason: Option<FinishReason>,
}

impl ResponseBody {
    pub(in super::super) fn into_response(
        self,
        request: &ChatRequest,
    ) -> Result<ChatResponse, Error> {
        let said = self.into_said();
        let is_answer = said.finish_reason.is_some() || !said.text.is_empty();
        if !is_answer && said.calls.is_empty() {
            return Err(malformed("the answer has no candidates"));
        }
        let most = Usage {
            is_estimated: true,
            ..Usage::ceiling(request)
        };
        let reason = said.finish_reason.unwrap_or(FinishReason::Other);
        Ok(ChatResponse {
            content: said.text,
            finish_reason: with_calls(reason, !said.calls.is_empty()),
            tool_calls: said.calls,
            model: said.model.unwrap_or_else(|| request.model.clone()),
            usage: said.usage.unwrap_or(most).or_untold(most),
        })
    }

    /// A prompt that is blocked has feedback and no candidates; its tokens count all the same.
    pub(super) fn into_said(self) -> Said {
        let blocked = self.prompt_feedback.and_then(|found| found.block_reason);
        let blocked = blocked.map(|_| FinishReason::ContentFilter);
        let mut said = Said {
            model: self.model_version,
            usage: self.usage_metadata.map(usage),
            finish_reason: blocked,
            ..Said::default()
        };
        // Only one answer is asked for.
        let Some(candidate) = self.candidates.into_iter().next() else {
            return said;
        };
        let reason = candidate.finish_reason.as_deref().map(finish_reason);
        said.finish_reason = blocked.or(reason);
        for part in candidate.content.parts {
            if let Some(call) = part.function_call {
                said.calls.push(tool_call(call, part.thought_signature));
            } else if !part.thought {
                said.text.push_str(&part.text.unwrap_or_default());
            }
        }
        said
    }
}

/// A complete answer that asks for tools ends for their sake.
pub(super) fn with_calls(reason: FinishReason, has_calls: bool) -> FinishReason {
    match reason {
        FinishReason::Stop if has_calls => FinishReason::ToolCalls,
        reason => reason,
    }
}

fn tool_call(call: FunctionCall, signature: Option<String>) -> ToolCall {
    let random = || {
        random_token()
            .chars()
            .take(OWN_ID_DIGITS)
            .collect::<String>()
    };
    let own = || format!("{OWN_ID}{}", random());
    let args = call.args.filter(|args| !args.is_null());
    ToolCall {
        id: call.id.filter(|id| !id.is_empty()).unwrap_or_else(own),
        name: call.name,
        arguments: args.map_or_else(|| "{}".to_owned(), |args| args.to_string()),
        signature,
    }
}

fn usage(body: UsageBody) -> Usage {
    let input = body.prompt_token_count.max(0) + body.tool_use_prompt_token_count.max(0);
    let thoughts = body.thoughts_token_count.max(0);
    Usage {
        input_tokens: input,
        output_tokens: body.candidates_token_count.max(0) + thoughts,
        cached_tokens: body.cached_content_token_count.max(0),
        reasoning_tokens: thoughts,
        ..Usage::default()
    }
}

fn finish_reason(reason: &str) -> FinishReason {
    match reason {
        "STOP" => FinishReason::Stop,
        "MAX_TOKENS" => FinishReason::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    }
}
