/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order; at least one part.
    pub parts: Vec<Part>,
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
    /// Tools that the model has called.
    Tool,
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text.
    Text(String),
    /// An image, from the user.
    Image(Image),
    /// What the model wants done.
    ToolCall(ToolCall),
    /// What a tool has come to.
    ToolResult {
        /// [`ToolCall::id`].
        call_id: String,
        /// [`ToolCall::name`].
        name: String,
        /// What the model is told of it.
        content: String,
    },
}

/// An image that a model looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The image.
    pub source: ImageSource,
    /// How closely, for providers that can be told; as they see fit when absent.
    pub detail: Option<ImageDetail>,
}

/// How closely a model looks at an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageDetail {
    /// At few tokens.
    Low,
    /// At many.
    High,
}

/// Where an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageSource {
    /// Where the provider finds it.
    Url(String),
    /// The image itself.
    Data {
        /// As `image/png`.
        media_type: String,
        /// Its bytes in standard base64.
        base64: String,
    },
}

/// A call of a tool that the model asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCall {
    /// Tells the calls of an answer apart.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// As the model wrote them: an object in JSON if it made no mistake.
    pub arguments: String,
    /// What the provider wants back with the call, unread: Gemini's reasoning that led to it.
    pub signature: Option<String>,
}

impl From<ImageSource> for Image {
    fn from(source: ImageSource) -> Self {
        let detail = None;
        Self { source, detail }
    }
}

impl Message {
    /// What the model is told before the conversation.
    #[must_use]
    pub fn system(text: impl Into<String>) -> Self {
        Self::new(Role::System, text)
    }

    /// What the user says.
    #[must_use]
    pub fn user(text: impl Into<String>) -> Self {
        Self::new(Role::User, text)
    }

    /// What the model said.
    #[must_use]
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::new(Role::Assistant, text)
    }

    /// What a tool has come to.
    #[must_use]
    pub fn tool_result(call: &ToolCall, content: impl Into<String>) -> Self {
        let part = Part::ToolResult {
            call_id: call.id.clone(),
            name: call.name.clone(),
            content: content.into(),
        };
        Self {
            role: Role::Tool,
            parts: vec![part],
        }
    }

    /// Its texts, one after the other.
    #[must_use]
    pub fn text(&self) -> String {
        let texts = self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    fn new(role: Role, text: impl Into<String>) -> Self {
        Self {
            role,
            parts: vec![Part::Text(text.into())],
        }
    }
}
