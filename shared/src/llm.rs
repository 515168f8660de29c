//! Language models: chat, streams of it, embeddings, and speech.
//!
//! Functions do not call a [`Provider`] themselves: they go through
//! [`MeteredLlm`](crate::quota::MeteredLlm), so that no call is made without admission.

mod embedding;
mod error;
mod message;
pub mod price;
mod provider;
pub mod providers;
mod request;
pub mod router;
pub mod speech;
mod stream;
mod usage;

pub use embedding::{EmbeddingRequest, EmbeddingResponse};
pub use error::Error;
pub use message::{Image, Message, Part, Role, ToolCall};
pub use provider::{Provider, SharedProvider};
pub use providers::{
    ProviderName, Providers, Retrying,
    anthropic::{Anthropic, AnthropicConfig},
    gemini::{Gemini, GeminiConfig},
    openai::{DEFAULT_MODEL, OpenAi, OpenAiConfig},
    vertex::{Vertex, VertexConfig},
};
pub use request::{ChatRequest, ChatResponse, FinishReason, OutputFormat, Tool, ToolChoice};
pub use stream::{ChatStream, Delta, collect};
pub use usage::Usage;
