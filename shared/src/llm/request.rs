use super::Usage;

/// A conversation to go on with.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatRequest {
    /// The model's name at the provider.
    pub model: String,
    /// The conversation so far, oldest first; at least one message.
    pub messages: Vec<Message>,
    /// The most tokens the answer may take, reasoning included.
    pub max_output_tokens: u32,
    /// 0 to 2; the model's own default when absent. Some reasoning models refuse it.
    pub temperature: Option<f64>,
    /// Whether the answer must be a JSON object; a message must then ask for JSON.
    pub json: bool,
    /// Equal for repeats of the same call. The server makes it: a client that chooses it could
    /// have calls that are not booked.
    pub idempotency_key: String,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

impl Message {
    /// What the model is told before the conversation.
    #[must_use]
    pub fn system(content: impl Into<String>) -> Self {
        Self::new(Role::System, content)
    }

    /// What the user says.
    #[must_use]
    pub fn user(content: impl Into<String>) -> Self {
        Self::new(Role::User, content)
    }

    /// What the model said.
    #[must_use]
    pub fn assistant(content: impl Into<String>) -> Self {
        Self::new(Role::Assistant, content)
    }

    fn new(role: Role, content: impl Into<String>) -> Self {
        let content = content.into();
        Self { role, content }
    }
}

/// Who speaks in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The application.
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
}

/// The model's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatResponse {
    /// What the model says.
    pub content: String,
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
