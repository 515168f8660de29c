//! OpenAI's chat completions and embeddings on top of Vision Cortex, so that its clients work
//! unchanged (<https://platform.openai.com/docs/api-reference>).
//!
//! What cannot be kept is refused by the name of its field, not passed over.

mod answer;
mod chunk;
mod embeddings;
mod message;
mod request;

pub(crate) use self::{
    answer::completion,
    chunk::Chunks,
    embeddings::{EmbeddingsBody, embeddings},
    request::{Asked, CompletionBody},
};

use shared::llm::FinishReason;

use crate::error::Problem;

/// As OpenAI calls it.
fn finish_reason(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop | FinishReason::Other => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter => "content_filter",
    }
}

/// Longest name of a model that there is room for in mind, in bytes; routes have the same.
const MAX_MODEL_BYTES: usize = 128;

fn model(name: String) -> Result<String, Problem> {
    match (1..=MAX_MODEL_BYTES).contains(&name.len()) {
        true => Ok(name),
        false => refuse("model", &format!("must have 1 to {MAX_MODEL_BYTES} bytes")),
    }
}

fn refuse<T>(field: impl Into<String>, message: &str) -> Result<T, Problem> {
    Err(Problem::new(field, message))
}

#[cfg(test)]
mod tests;
