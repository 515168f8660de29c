//! Chunks of `GenerateContentResponse`, the last of which has a reason to end; no end mark.

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::Value;

use super::{
    ErrorBody, ResponseBody,
    response::{Said, with_calls},
};
use crate::llm::{
    ChatRequest, Delta, Error, FinishReason, Usage,
    providers::{
        calls::Calls,
        http::parse,
        sse::{Reader, interrupted},
    },
};

#[derive(Deserialize)]
struct Chunk {
    error: Option<Value>,
    #[serde(flatten)]
    response: ResponseBody,
}

/// Reads an answer chunk by chunk.
pub(in super::super) struct ChunkReader {
    model: String,
    /// What the call has used if the provider does not tell.
    request: ChatRequest,
    output_bytes: usize,
    /// Every call comes whole, so that none is looked up.
    calls: Calls<usize>,
    usage: Option<Usage>,
    finish_reason: Option<FinishReason>,
    has_begun: bool,
}

impl ChunkReader {
    pub(in super::super) fn new(request: &ChatRequest) -> Self {
        Self {
            model: request.model.clone(),
            request: request.clone(),
            output_bytes: 0,
            calls: Calls::default(),
            usage: None,
            finish_reason: None,
            has_begun: false,
        }
    }

    fn read_said(&mut self, said: Said, deltas: &mut VecDeque<Delta>) -> Result<(), Error> {
        deltas.extend(said.usage.map(Delta::Usage));
        self.output_bytes += said.text.len();
        if !said.text.is_empty() {
            deltas.push_back(Delta::Text(said.text));
        }
        for piece in said.calls {
            self.output_bytes += piece.name.len() + piece.arguments.len();
            let index = self.calls.index(self.calls.len())?;
            deltas.push_back(Delta::ToolCall { index, piece });
        }
        self.model = said
            .model
            .unwrap_or_else(|| std::mem::take(&mut self.model));
        self.usage = said.usage.or(self.usage);
        self.finish_reason = said.finish_reason.or(self.finish_reason);
        Ok(())
    }
}

impl Reader for ChunkReader {
    fn read(&mut self, data: &str, deltas: &mut VecDeque<Delta>) -> Result<(), Error> {
        let chunk: Chunk = parse(data.as_bytes())?;
        if let Some(error) = chunk.error {
            return Err(ErrorBody::from(error).within_answer(self.has_begun));
        }
        self.has_begun = true;
        self.read_said(chunk.response.into_said(), deltas)
    }

    fn end(&mut self) -> Result<Delta, Error> {
        let reason = self.finish_reason;
        let reason = reason.ok_or_else(|| interrupted("the stream ended before the answer"))?;
        let estimate = Usage::estimate(&self.request, self.output_bytes);
        Ok(Delta::End {
            usage: self.usage.unwrap_or(estimate).or_untold(estimate),
            model: std::mem::take(&mut self.model),
            finish_reason: with_calls(reason, !self.calls.is_empty()),
        })
    }
}
