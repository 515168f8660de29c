//! Language models: chat, streams of it, embeddings, and speech.
//!
//! Functions do not call a [`Provider`] themselves: they go through
//! [`MeteredLlm`](crate::quota::MeteredLlm), so that no call is made without admission.

mod default_model;
mod embedding;
mod error;
mod keys;
mod message;
pub mod price;
mod provider;
pub mod providers;
mod request;
pub mod router;
pub mod speech;
mod stream;
mod usage;

pub use default_model::default_model;
pub use embedding::{EmbeddingRequest, EmbeddingResponse};
pub use error::Error;
pub use keys::{KeyError, OrgKeys, SharedOrgKeys};
pub use message::{Image, ImageDetail, ImageSource, Message, Part, Role, ToolCall};
pub use provider::{Provider, SharedProvider};
pub use providers::{
    ProviderName, Providers, ProvidersConfig,
    anthropic::{Anthropic, AnthropicConfig},
    gemini::{Gemini, GeminiConfig},
    openai::{OpenAi, OpenAiConfig},
    vertex::{Vertex, VertexConfig},
};
pub use request::{ChatRequest, ChatResponse, FinishReason, OutputFormat, Tool, ToolChoice};
pub use stream::{ChatStream, Delta, Pieces, collect};
pub use usage::Usage;
