//! `ResponseStreamEvent`: the text and the calls piece by piece, and the whole answer at its end.

use std::collections::VecDeque;

use serde::Deserialize;

use super::answer::{Item, ResponsesAnswer, with_calls};
use crate::llm::{
    ChatRequest, Delta, Error, ToolCall, Usage,
    providers::{calls::Calls, http::parse, openai::refusal::ErrorBody, sse::Reader},
};

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Event {
    #[serde(rename = "response.output_text.delta")]
    Text { delta: String },
    #[serde(rename = "response.refusal.delta")]
    Refusal { delta: String },
    #[serde(rename = "response.output_item.added")]
    Added { output_index: u64, item: Item },
    #[serde(rename = "response.function_call_arguments.delta")]
    Arguments { output_index: u64, delta: String },
    #[serde(
        rename = "response.completed",
        alias = "response.incomplete",
        alias = "response.failed"
    )]
    End { response: Box<ResponsesAnswer> },
    #[serde(rename = "error")]
    Error { code: Option<String> },
    #[serde(other)]
    Unknown,
}

/// Reads an answer event by event.
pub(in super::super) struct EventReader {
    request: ChatRequest,
    output_bytes: usize,
    /// By their place in the output.
    calls: Calls<u64>,
    has_begun: bool,
}

impl EventReader {
    pub(in super::super) fn new(request: &ChatRequest) -> Self {
        Self {
            request: request.clone(),
            output_bytes: 0,
            calls: Calls::default(),
            has_begun: false,
        }
    }

    fn text(&mut self, text: String) -> Delta {
        self.output_bytes += text.len();
        Delta::Text(text)
    }

    fn call(&mut self, output_index: u64, piece: ToolCall) -> Result<Delta, Error> {
        self.output_bytes += piece.name.len() + piece.arguments.len();
        let index = self.calls.index(output_index)?;
        Ok(Delta::ToolCall { index, piece })
    }

    fn finish(&self, response: &ResponsesAnswer) -> Result<Delta, Error> {
        if let Some(error) = response.failure() {
            let told = response.usage();
            let has_begun = self.has_begun || told.is_some();
            return Err(error.within_answer(has_begun).having_used(told));
        }
        let estimate = Usage::estimate(&self.request, self.output_bytes);
        Ok(Delta::End {
            model: response.model().unwrap_or(&self.request.model).to_owned(),
            usage: response.usage().unwrap_or(estimate).or_untold(estimate),
            finish_reason: with_calls(response.finish_reason(), !self.calls.is_empty()),
        })
    }
}

impl Reader for EventReader {
    fn read(&mut self, data: &str, deltas: &mut VecDeque<Delta>) -> Result<(), Error> {
        let delta = match parse(data.as_bytes())? {
            Event::Text { delta } | Event::Refusal { delta } => self.text(delta),
            Event::Added {
                output_index,
                item:
                    Item::FunctionCall {
                        call_id,
                        name,
                        arguments,
                    },
            } => {
                let piece = ToolCall {
                    id: call_id,
                    name,
                    arguments,
                    signature: None,
                };
                self.call(output_index, piece)?
            }
            Event::Arguments {
                output_index,
                delta,
            } => {
                let piece = ToolCall {
                    arguments: delta,
                    ..ToolCall::default()
                };
                self.call(output_index, piece)?
            }
            Event::End { response } => self.finish(&response)?,
            Event::Error { code } => {
                let body = ErrorBody::from(serde_json::json!({ "code": code }));
                return Err(body.within_answer(self.has_begun));
            }
            Event::Added { .. } => {
                // Reasoning is billed, though nothing of it is shown.
                self.has_begun = true;
                return Ok(());
            }
            Event::Unknown => return Ok(()),
        };
        self.has_begun = true;
        deltas.push_back(delta);
        Ok(())
    }
}
