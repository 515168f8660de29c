use futures::{
    StreamExt,
    stream::{self, BoxStream},
};

use super::{ChatResponse, Error, FinishReason, ToolCall, Usage};

/// An answer as it comes: any number of pieces, then one [`Delta::End`]. A stream that ends without
/// one, or with an error, has used nobody knows what.
pub type ChatStream = BoxStream<'static, Result<Delta, Error>>;

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta {
    /// Text that follows the text before.
    Text(String),
    /// A part of a call of a tool.
    ToolCall {
        /// Which of the answer's calls, from 0.
        index: usize,
        /// What this piece adds: id, name and signature come whole with the first piece of a call,
        /// arguments follow those before.
        piece: ToolCall,
    },
    /// What the call has used so far, where a provider tells it before the end.
    Usage(Usage),
    /// The answer is complete.
    End {
        /// The model that answered.
        model: String,
        /// What the call used.
        usage: Usage,
        /// Why the answer ends.
        finish_reason: FinishReason,
    },
}

/// The stream of an answer that is there.
pub(super) fn whole(response: ChatResponse) -> ChatStream {
    let text = Some(response.content).filter(|content| !content.is_empty());
    let text = text.map(Delta::Text);
    let calls = response.tool_calls.into_iter().enumerate();
    let calls = calls.map(|(index, piece)| Delta::ToolCall { index, piece });
    let end = Delta::End {
        model: response.model,
        usage: response.usage,
        finish_reason: response.finish_reason,
    };
    let deltas: Vec<_> = text.into_iter().chain(calls).chain([end]).collect();
    stream::iter(deltas).map(Ok).boxed()
}

/// An answer, put together from its pieces.
#[derive(Debug, Default)]
pub struct Pieces {
    content: String,
    tool_calls: Vec<ToolCall>,
}

impl Pieces {
    /// Adds the next piece; the last one makes the answer whole.
    pub fn add(&mut self, delta: Delta) -> Option<ChatResponse> {
        match delta {
            Delta::Text(text) => self.content.push_str(&text),
            Delta::Usage(_) => {}
            Delta::ToolCall { index, piece } => {
                if self.tool_calls.len() <= index {
                    let count = index.saturating_add(1);
                    self.tool_calls.resize(count, ToolCall::default());
                }
                let call = &mut self.tool_calls[index];
                call.id.push_str(&piece.id);
                call.name.push_str(&piece.name);
                call.arguments.push_str(&piece.arguments);
                call.signature = call.signature.take().or(piece.signature);
            }
            Delta::End {
                model,
                usage,
                finish_reason,
            } => {
                let Self {
                    content,
                    tool_calls,
                } = std::mem::take(self);
                return Some(ChatResponse {
                    content,
                    tool_calls,
                    model,
                    usage,
                    finish_reason,
                });
            }
        }
        None
    }
}

/// The whole answer of a stream.
///
/// # Errors
/// Returns the stream's error, or [`Error::Interrupted`] when it ends before the answer does.
pub async fn collect(mut stream: ChatStream) -> Result<ChatResponse, Error> {
    let mut pieces = Pieces::default();
    while let Some(delta) = stream.next().await {
        if let Some(response) = pieces.add(delta?) {
            return Ok(response);
        }
    }
    Err(Error::Interrupted(
        "the stream ended before the answer".into(),
    ))
}
