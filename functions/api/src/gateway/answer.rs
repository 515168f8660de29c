//! `CreateChatCompletionResponse`.

use serde_json::{Value, json};
use shared::{
    llm::{ChatResponse, ToolCall, Usage},
    models::Timestamp,
};

use super::finish_reason;

/// A whole answer.
pub(crate) fn completion(id: &str, now: Timestamp, response: &ChatResponse) -> Value {
    let calls: Vec<_> = response.tool_calls.iter().map(tool_call).collect();
    let says_nothing = response.content.is_empty() && !calls.is_empty();
    let mut message = json!({
        "role": "assistant",
        "content": if says_nothing { Value::Null } else { response.content.clone().into() },
        "refusal": null,
    });
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    json!({
        "id": id,
        "object": "chat.completion",
        "created": now.instant().as_second(),
        "model": response.model,
        "choices": [{
            "index": 0,
            "message": message,
            "logprobs": null,
            "finish_reason": finish_reason(response.finish_reason),
        }],
        "usage": usage(&response.usage),
    })
}

/// `CompletionUsage`.
pub(super) fn usage(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total(),
        "prompt_tokens_details": { "cached_tokens": usage.cached_tokens },
        "completion_tokens_details": { "reasoning_tokens": usage.reasoning_tokens },
    })
}

fn tool_call(call: &ToolCall) -> Value {
    json!({
        "id": call.id,
        "type": "function",
        "function": { "name": call.name, "arguments": call.arguments },
    })
}
