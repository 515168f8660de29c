use std::sync::Arc;

use async_trait::async_trait;

use super::{ChatRequest, ChatResponse, Error};

/// Someone who runs language models.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Has the model go on with a conversation.
    async fn chat(&self, request: &ChatRequest) -> Result<ChatResponse, Error>;
}

/// A provider that can be shared.
pub type SharedProvider = Arc<dyn Provider>;
