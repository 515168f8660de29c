use serde_json::Value;

use super::{Message, ToolCall, Usage};

/// A conversation to go on with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChatRequest {
    /// The model's name at the provider.
    pub model: String,
    /// The conversation so far, oldest first; at least one message.
    pub messages: Vec<Message>,
    /// What the model may have done.
    pub tools: Vec<Tool>,
    /// Whether it has to.
    pub tool_choice: ToolChoice,
    /// The most tokens the answer may take, reasoning included.
    pub max_output_tokens: u32,
    /// 0 to 2; the model's own default when absent. Some reasoning models refuse it.
    pub temperature: Option<f64>,
    /// The share of likely tokens that are looked at, 0 to 1; the model's own default when absent.
    pub top_p: Option<f64>,
    /// Texts that end the answer; at most four.
    pub stop: Vec<String>,
    /// What the answer has to look like.
    pub output: OutputFormat,
    /// Equal for repeats of the same call. The server makes it: a client that chooses it could
    /// have calls that are not booked.
    pub idempotency_key: String,
}

/// What an answer has to look like.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum OutputFormat {
    /// Anything.
    #[default]
    Text,
    /// An object in JSON; a message must then ask for JSON.
    JsonObject,
    /// A value in JSON that fits a JSON Schema.
    JsonSchema {
        /// 1 to 64 letters, digits, `_` and `-`.
        name: String,
        /// The schema.
        schema: Value,
        /// Whether the provider holds the model to it exactly.
        strict: bool,
    },
}

/// Something that the model may have done.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// 1 to 64 letters, digits, `_` and `-`.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// JSON Schema of its arguments, an object.
    pub parameters: Value,
    /// Whether the provider holds the model to the schema exactly, where it can.
    pub strict: bool,
}

/// Whether the model has to call tools.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// As it sees fit.
    #[default]
    Auto,
    /// It must not.
    None,
    /// It must call one at least.
    Required,
    /// It must call this one.
    Named(String),
}

/// The model's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatResponse {
    /// What the model says.
    pub content: String,
    /// What it wants done.
    pub tool_calls: Vec<ToolCall>,
    /// The model that answered, which may be a dated version of the one asked for.
    pub model: String,
    /// What the call used.
    pub usage: Usage,
    /// Why the answer ends.
    pub finish_reason: FinishReason,
}

/// Why an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// It is complete.
    Stop,
    /// It reached the most tokens allowed.
    Length,
    /// The model wants a tool called.
    ToolCalls,
    /// The provider withheld the rest.
    ContentFilter,
    /// A reason that this version does not know.
    Other,
}
