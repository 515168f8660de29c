//! `CreateChatCompletionStreamResponse`.

use serde_json::{Value, json};
use shared::{
    llm::{Delta, ToolCall},
    models::Timestamp,
};

use super::{answer::usage, finish_reason};

/// Makes the chunks of one answer.
pub(crate) struct Chunks {
    id: String,
    created: i64,
    model: String,
    tells_usage: bool,
    has_begun: bool,
}

impl Chunks {
    pub(crate) fn new(id: String, now: Timestamp, model: String, tells_usage: bool) -> Self {
        Self {
            id,
            created: now.instant().as_second(),
            model,
            tells_usage,
            has_begun: false,
        }
    }

    /// The chunks of a piece, in order. The first of an answer says who speaks; what was used comes
    /// last, without a choice.
    pub(crate) fn of(&mut self, delta: Delta) -> Vec<Value> {
        let mut chunks = Vec::new();
        if !self.has_begun {
            self.has_begun = true;
            let role = json!({ "role": "assistant", "content": "", "refusal": null });
            chunks.push(self.chunk(&role, None));
        }
        match delta {
            // OpenAI tells what was used at the end only.
            Delta::Usage(_) => {}
            Delta::Text(text) => chunks.push(self.chunk(&json!({ "content": text }), None)),
            Delta::ToolCall { index, piece } => {
                let calls = json!({ "tool_calls": [tool_call(index, &piece)] });
                chunks.push(self.chunk(&calls, None));
            }
            Delta::End {
                model,
                usage: used,
                finish_reason: reason,
            } => {
                self.model = model;
                chunks.push(self.chunk(&json!({}), Some(finish_reason(reason))));
                if self.tells_usage {
                    let mut last = self.envelope(json!([]));
                    last["usage"] = usage(&used);
                    chunks.push(last);
                }
            }
        }
        chunks
    }

    fn chunk(&self, delta: &Value, finish_reason: Option<&str>) -> Value {
        self.envelope(json!([{
            "index": 0,
            "delta": delta,
            "logprobs": null,
            "finish_reason": finish_reason,
        }]))
    }

    fn envelope(&self, choices: Value) -> Value {
        let mut chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        });
        if self.tells_usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    }
}

/// Id, type and name come with the first piece of a call only.
fn tool_call(index: usize, piece: &ToolCall) -> Value {
    let mut call = json!({ "index": index, "function": { "arguments": piece.arguments } });
    if !piece.id.is_empty() {
        call["id"] = piece.id.clone().into();
        call["type"] = "function".into();
    }
    if !piece.name.is_empty() {
        call["function"]["name"] = piece.name.clone().into();
    }
    call
}
