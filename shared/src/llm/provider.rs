use std::sync::Arc;

use async_trait::async_trait;

use super::{
    ChatRequest, ChatResponse, ChatStream, EmbeddingRequest, EmbeddingResponse, Error, stream,
};

/// Someone who runs language models.
///
/// It tries once: whether a call is repeated, here or elsewhere, is up to the router. It sets no
/// time-outs but those of connections.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Has the model go on with a conversation.
    ///
    /// # Errors
    /// Returns [`Error`].
    async fn chat(&self, request: &ChatRequest) -> Result<ChatResponse, Error>;

    /// Has the model go on with a conversation, and tells the answer as it comes: all at once, if
    /// the provider has no streams. Dropping the stream ends the call at the provider, as far as it
    /// notices.
    ///
    /// # Errors
    /// Returns what went wrong before the answer began; what does later is in the stream.
    async fn stream(&self, request: &ChatRequest) -> Result<ChatStream, Error> {
        Ok(stream::whole(self.chat(request).await?))
    }

    /// Places texts in the model's space.
    ///
    /// # Errors
    /// Returns [`Error`]; [`Error::InvalidRequest`] with `no_embeddings` when the provider has no
    /// such models.
    async fn embed(&self, request: &EmbeddingRequest) -> Result<EmbeddingResponse, Error> {
        let _ = request;
        let code = "no_embeddings".to_owned();
        Err(Error::InvalidRequest { code })
    }
}

/// A provider that can be shared.
pub type SharedProvider = Arc<dyn Provider>;
