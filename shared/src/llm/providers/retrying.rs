use async_trait::async_trait;

use crate::{
    llm::{
        ChatRequest, ChatResponse, ChatStream, EmbeddingRequest, EmbeddingResponse, Error,
        Provider, SharedProvider,
    },
    retry::{Policy, retry},
};

/// A provider that is asked again when it did no work.
///
/// A repeat after a broken connection may be billed twice, so whoever reserved the tokens decides
/// about it.
pub struct Retrying {
    provider: SharedProvider,
    policy: Policy,
}

impl Retrying {
    /// Asks `provider` again as `policy` says.
    #[must_use]
    pub fn new(provider: SharedProvider, policy: Policy) -> Self {
        Self { provider, policy }
    }
}

#[async_trait]
impl Provider for Retrying {
    async fn chat(&self, request: &ChatRequest) -> Result<ChatResponse, Error> {
        let attempt = || async { decided(self.provider.chat(request).await) };
        retry(self.policy, attempt).await?
    }

    async fn stream(&self, request: &ChatRequest) -> Result<ChatStream, Error> {
        let attempt = || async { decided(self.provider.stream(request).await) };
        retry(self.policy, attempt).await?
    }

    async fn embed(&self, request: &EmbeddingRequest) -> Result<EmbeddingResponse, Error> {
        let attempt = || async { decided(self.provider.embed(request).await) };
        retry(self.policy, attempt).await?
    }
}

/// A failure after which the model may have worked is the call's outcome.
fn decided<T>(result: Result<T, Error>) -> Result<Result<T, Error>, Error> {
    match result {
        Err(error) if !error.is_unused() => Ok(Err(error)),
        result => result.map(Ok),
    }
}
