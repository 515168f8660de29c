//! Chat with a language model.
//!
//! Functions do not call a [`Provider`] themselves: they go through
//! [`MeteredLlm`](crate::quota::MeteredLlm), so that no call is made without admission.

mod error;
pub mod price;
mod provider;
pub mod providers;
mod request;
mod usage;

pub use error::Error;
pub use provider::{Provider, SharedProvider};
pub use providers::openai::{DEFAULT_MODEL, OpenAi, OpenAiConfig};
pub use request::{ChatRequest, ChatResponse, FinishReason, Message, Role};
pub use usage::Usage;
