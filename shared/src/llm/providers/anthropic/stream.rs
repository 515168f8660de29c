//! `RawMessageStreamEvent` (<https://platform.claude.com/docs/en/build-with-claude/streaming>).

use std::collections::{HashSet, VecDeque};

use serde::Deserialize;
use serde_json::Value;

use super::{
    ErrorBody,
    response::{Block, UsageBody, finish_reason},
};
use crate::llm::{
    ChatRequest, Delta, Error, FinishReason, ToolCall, Usage,
    providers::{calls::Calls, http::parse, sse::Reader},
};

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Start,
    },
    ContentBlockStart {
        index: u64,
        content_block: Block,
    },
    ContentBlockDelta {
        index: u64,
        delta: BlockDelta,
    },
    ContentBlockStop {
        index: u64,
    },
    MessageDelta {
        delta: MessageDelta,
        usage: Option<UsageBody>,
    },
    MessageStop,
    Error {
        #[serde(default)]
        error: Value,
    },
    /// Pings, and kinds that are new.
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
struct Start {
    model: Option<String>,
    usage: Option<UsageBody>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum BlockDelta {
    TextDelta {
        text: String,
    },
    InputJsonDelta {
        partial_json: String,
    },
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
struct MessageDelta {
    stop_reason: Option<String>,
}

/// Reads an answer event by event.
pub(in super::super) struct EventReader {
    model: String,
    /// What the call has used if the provider does not tell.
    request: ChatRequest,
    output_bytes: usize,
    /// By their place among the blocks.
    calls: Calls<u64>,
    /// Blocks of calls whose arguments have begun.
    with_arguments: HashSet<u64>,
    usage: UsageBody,
    finish_reason: FinishReason,
    has_begun: bool,
}

impl EventReader {
    pub(in super::super) fn new(request: &ChatRequest) -> Self {
        Self {
            model: request.model.clone(),
            request: request.clone(),
            output_bytes: 0,
            calls: Calls::default(),
            with_arguments: HashSet::new(),
            usage: UsageBody::default(),
            finish_reason: FinishReason::Other,
            has_begun: false,
        }
    }

    fn start(&mut self, message: Start) {
        self.has_begun = true;
        self.model = message.model.unwrap_or_else(|| self.request.model.clone());
        self.usage.update(message.usage.unwrap_or_default());
    }

    fn start_block(&mut self, place: u64, block: Block) -> Result<Option<Delta>, Error> {
        match block {
            Block::Text { text } => Ok(self.text(text)),
            Block::ToolUse { id, name, .. } => {
                let index = self.calls.index(place)?;
                let piece = ToolCall {
                    id,
                    name,
                    ..ToolCall::default()
                };
                self.output_bytes += piece.name.len();
                Ok(Some(Delta::ToolCall { index, piece }))
            }
            Block::Unknown => Ok(None),
        }
    }

    fn text(&mut self, text: String) -> Option<Delta> {
        self.output_bytes += text.len();
        (!text.is_empty()).then_some(Delta::Text(text))
    }

    fn arguments(&mut self, place: u64, arguments: String) -> Option<Delta> {
        // Tools that the provider runs itself have arguments as well.
        let index = self.calls.find(&place).filter(|_| !arguments.is_empty())?;
        self.output_bytes += arguments.len();
        self.with_arguments.insert(place);
        let piece = ToolCall {
            arguments,
            ..ToolCall::default()
        };
        Some(Delta::ToolCall { index, piece })
    }

    /// A call without arguments has none in any piece; its arguments are an empty object.
    fn stop_block(&mut self, place: u64) -> Option<Delta> {
        let has_arguments = self.with_arguments.contains(&place);
        let none = (!has_arguments).then(|| "{}".to_owned())?;
        self.arguments(place, none)
    }

    fn so_far(&self) -> Delta {
        Delta::Usage(self.usage.into_usage(Usage::default()))
    }

    fn finish(&self) -> Delta {
        let estimate = Usage::estimate(&self.request, self.output_bytes);
        Delta::End {
            model: self.model.clone(),
            usage: self.usage.into_usage(estimate),
            finish_reason: self.finish_reason,
        }
    }
}

impl Reader for EventReader {
    fn read(&mut self, data: &str, deltas: &mut VecDeque<Delta>) -> Result<(), Error> {
        let delta = match parse(data.as_bytes())? {
            Event::MessageStart { message } => {
                self.start(message);
                Some(self.so_far())
            }
            Event::ContentBlockStart {
                index,
                content_block,
            } => self.start_block(index, content_block)?,
            Event::ContentBlockDelta { index, delta } => match delta {
                BlockDelta::TextDelta { text } => self.text(text),
                BlockDelta::InputJsonDelta { partial_json } => self.arguments(index, partial_json),
                BlockDelta::Unknown => None,
            },
            Event::ContentBlockStop { index } => self.stop_block(index),
            Event::MessageDelta { delta, usage } => {
                self.usage.update(usage.unwrap_or_default());
                let reason = delta.stop_reason.as_deref();
                self.finish_reason =
                    reason.map_or(self.finish_reason, |reason| finish_reason(Some(reason)));
                Some(self.so_far())
            }
            Event::MessageStop => Some(self.finish()),
            Event::Error { error } => {
                return Err(ErrorBody::from(error).within_answer(self.has_begun));
            }
            Event::Unknown => None,
        };
        deltas.extend(delta);
        Ok(())
    }
}
