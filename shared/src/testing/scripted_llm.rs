use std::{collections::VecDeque, sync::Mutex};

use async_trait::async_trait;

use super::lock;
use crate::llm::{ChatRequest, ChatResponse, Error, FinishReason, Message, Provider, Usage};

type Script = dyn Fn(&ChatRequest) -> Result<String, Error> + Send + Sync;

/// A model that says what a test tells it to. It uses a token for each word.
pub struct ScriptedLlm {
    script: Box<Script>,
    uses_all: bool,
    requests: Mutex<Vec<ChatRequest>>,
}

impl ScriptedLlm {
    /// A model whose answer depends on the request alone, for calls in any order.
    #[must_use]
    pub fn new(
        script: impl Fn(&ChatRequest) -> Result<String, Error> + Send + Sync + 'static,
    ) -> Self {
        Self {
            script: Box::new(script),
            uses_all: false,
            requests: Mutex::default(),
        }
    }

    /// A model that always says the same.
    #[must_use]
    pub fn answering(content: impl Into<String>) -> Self {
        let content = content.into();
        Self::new(move |_| Ok(content.clone()))
    }

    /// The same, but it uses all that its calls may.
    #[must_use]
    pub fn using_all(self) -> Self {
        Self {
            uses_all: true,
            ..self
        }
    }

    /// A model that goes through outcomes in their order and then refuses every request with
    /// `script_exhausted`.
    #[must_use]
    pub fn in_order(outcomes: impl IntoIterator<Item = Result<&'static str, Error>>) -> Self {
        let outcomes: Mutex<VecDeque<_>> = Mutex::new(outcomes.into_iter().collect());
        Self::new(move |_| {
            let exhausted = || Error::InvalidRequest {
                code: "script_exhausted".to_owned(),
            };
            let outcome = lock(&outcomes).pop_front();
            outcome.ok_or_else(exhausted)?.map(str::to_owned)
        })
    }

    /// The requests so far, oldest first, failed ones included.
    #[must_use]
    pub fn requests(&self) -> Vec<ChatRequest> {
        lock(&self.requests).clone()
    }
}

#[async_trait]
impl Provider for ScriptedLlm {
    async fn chat(&self, request: &ChatRequest) -> Result<ChatResponse, Error> {
        lock(&self.requests).push(request.clone());
        // Lets other tasks run, as a network call would.
        tokio::task::yield_now().await;
        let content = (self.script)(request)?;
        let said = request.messages.iter().map(Message::text);
        let usage = match self.uses_all {
            true => Usage::ceiling(request),
            false => Usage {
                input_tokens: said.map(|content| count_words(&content)).sum(),
                output_tokens: count_words(&content),
                ..Usage::default()
            },
        };
        Ok(ChatResponse {
            content,
            tool_calls: Vec::new(),
            model: request.model.clone(),
            usage,
            finish_reason: FinishReason::Stop,
        })
    }
}

fn count_words(text: &str) -> i64 {
    text.split_whitespace().map(|_| 1).sum()
}
