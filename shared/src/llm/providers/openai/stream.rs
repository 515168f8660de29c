//! `CreateChatCompletionStreamResponse`: chunks, the usage in one without choices, `[DONE]`.

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::Value;

use super::{
    refusal::ErrorBody,
    response::{UsageBody, finish_reason},
};
use crate::llm::{
    ChatRequest, Delta, Error, FinishReason, ToolCall, Usage,
    providers::{
        calls::Calls,
        http::parse,
        sse::{Reader, interrupted},
    },
};

#[derive(Deserialize)]
struct Chunk {
    model: Option<String>,
    #[serde(default)]
    choices: Vec<ChunkChoice>,
    usage: Option<UsageBody>,
    /// Servers that fail within an answer say so in its place.
    error: Option<Value>,
}

#[derive(Deserialize)]
struct ChunkChoice {
    #[serde(default)]
    delta: ChunkDelta,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct ChunkDelta {
    content: Option<String>,
    refusal: Option<String>,
    tool_calls: Option<Vec<CallChunk>>,
}

#[derive(Deserialize)]
struct CallChunk {
    /// Compatible servers that send calls whole leave it out.
    #[serde(default)]
    index: u64,
    id: Option<String>,
    function: Option<FunctionChunk>,
}

#[derive(Deserialize)]
struct FunctionChunk {
    name: Option<String>,
    arguments: Option<String>,
}

/// Reads an answer chunk by chunk.
pub(super) struct ChunkReader {
    model: String,
    /// What the call has used if the server does not tell.
    request: ChatRequest,
    output_bytes: usize,
    calls: Calls<u64>,
    usage: Option<UsageBody>,
    finish_reason: Option<FinishReason>,
    has_begun: bool,
}

impl ChunkReader {
    pub(super) fn new(request: &ChatRequest) -> Self {
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

    fn read_choice(
        &mut self,
        choice: ChunkChoice,
        deltas: &mut VecDeque<Delta>,
    ) -> Result<(), Error> {
        let ChunkDelta {
            content,
            refusal,
            tool_calls,
        } = choice.delta;
        for text in content.into_iter().chain(refusal) {
            self.output_bytes += text.len();
            if !text.is_empty() {
                deltas.push_back(Delta::Text(text));
            }
        }
        for call in tool_calls.into_iter().flatten() {
            deltas.push_back(self.read_call(call)?);
        }
        let reason = choice.finish_reason.as_deref();
        let reason = reason.map(|reason| finish_reason(Some(reason)));
        self.finish_reason = reason.or(self.finish_reason);
        Ok(())
    }

    fn read_call(&mut self, chunk: CallChunk) -> Result<Delta, Error> {
        let index = self.calls.index(chunk.index)?;
        let function = chunk.function;
        let (name, arguments) =
            function.map_or((None, None), |function| (function.name, function.arguments));
        let piece = ToolCall {
            id: chunk.id.unwrap_or_default(),
            name: name.unwrap_or_default(),
            arguments: arguments.unwrap_or_default(),
            signature: None,
        };
        self.output_bytes += piece.name.len() + piece.arguments.len();
        Ok(Delta::ToolCall { index, piece })
    }

    fn usage(&self) -> Usage {
        let estimate = Usage::estimate(&self.request, self.output_bytes);
        self.usage
            .map_or(estimate, |usage| usage.into_usage(estimate))
    }

    fn finish(&mut self, finish_reason: FinishReason) -> Delta {
        Delta::End {
            model: std::mem::take(&mut self.model),
            usage: self.usage(),
            finish_reason,
        }
    }
}

impl Reader for ChunkReader {
    fn read(&mut self, data: &str, deltas: &mut VecDeque<Delta>) -> Result<(), Error> {
        if data.trim() == "[DONE]" {
            let reason = self.finish_reason.unwrap_or(FinishReason::Other);
            deltas.push_back(self.finish(reason));
            return Ok(());
        }
        let chunk: Chunk = parse(data.as_bytes())?;
        if let Some(error) = chunk.error {
            return Err(ErrorBody::from(error).within_answer(self.has_begun));
        }
        self.has_begun = true;
        if let Some(model) = chunk.model.filter(|model| !model.is_empty()) {
            self.model = model;
        }
        // Servers that tell it in each chunk count up.
        if let Some(usage) = chunk.usage {
            deltas.push_back(Delta::Usage(usage.into_usage(Usage::default())));
            self.usage = Some(usage);
        }
        // Only one answer is asked for.
        let choice = chunk.choices.into_iter().next();
        choice.map_or(Ok(()), |choice| self.read_choice(choice, deltas))
    }

    /// Some servers leave out the end mark.
    fn end(&mut self) -> Result<Delta, Error> {
        let reason = self.finish_reason;
        let reason = reason.ok_or_else(|| interrupted("the stream ended before the answer"))?;
        Ok(self.finish(reason))
    }
}
