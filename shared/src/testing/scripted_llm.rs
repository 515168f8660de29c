use std::{collections::VecDeque, sync::Mutex};

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use super::lock;
use crate::llm::{
    ChatRequest, ChatResponse, EmbeddingRequest, EmbeddingResponse, Error, FinishReason, Message,
    Provider, ToolCall, Usage,
};

type Script = dyn Fn(&ChatRequest) -> Result<Said, Error> + Send + Sync;

/// What a scripted model answers.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// What it says.
    pub content: String,
    /// What it wants done.
    pub tool_calls: Vec<ToolCall>,
}

impl Said {
    /// A call of one tool.
    #[must_use]
    pub fn calling(name: &str, arguments: &impl ToString) -> Self {
        let call = ToolCall {
            id: format!("call_{name}"),
            name: name.to_owned(),
            arguments: arguments.to_string(),
            signature: None,
        };
        Self {
            content: String::new(),
            tool_calls: vec![call],
        }
    }
}

impl<T: Into<String>> From<T> for Said {
    fn from(content: T) -> Self {
        Self {
            content: content.into(),
            tool_calls: Vec::new(),
        }
    }
}

/// A model that says what a test tells it to. It uses a token for each word.
pub struct ScriptedLlm {
    script: Box<Script>,
    uses_all: bool,
    requests: Mutex<Vec<ChatRequest>>,
    /// The texts that were embedded, of a model that can.
    embedded: Option<Mutex<Vec<String>>>,
}

impl ScriptedLlm {
    /// A model whose answer depends on the request alone, for calls in any order.
    #[must_use]
    pub fn new(
        script: impl Fn(&ChatRequest) -> Result<String, Error> + Send + Sync + 'static,
    ) -> Self {
        Self::acting(move |request| Ok(script(request)?.into()))
    }

    /// The same for a model that wants things done.
    #[must_use]
    pub fn acting(
        script: impl Fn(&ChatRequest) -> Result<Said, Error> + Send + Sync + 'static,
    ) -> Self {
        Self {
            script: Box::new(script),
            uses_all: false,
            requests: Mutex::default(),
            embedded: None,
        }
    }

    /// The same for a model that can embed: texts are near to each other that share words.
    #[must_use]
    pub fn embedding(self) -> Self {
        Self {
            embedded: Some(Mutex::default()),
            ..self
        }
    }

    /// The texts that were embedded so far, oldest first.
    #[must_use]
    pub fn embedded(&self) -> Vec<String> {
        let embedded = self.embedded.as_ref();
        embedded
            .map(|texts| lock(texts).clone())
            .unwrap_or_default()
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
        let Said {
            content,
            tool_calls,
        } = (self.script)(request)?;
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
            finish_reason: match tool_calls.is_empty() {
                true => FinishReason::Stop,
                false => FinishReason::ToolCalls,
            },
            tool_calls,
            model: request.model.clone(),
            usage,
        })
    }

    async fn embed(&self, request: &EmbeddingRequest) -> Result<EmbeddingResponse, Error> {
        let Some(embedded) = &self.embedded else {
            let code = "no_embeddings".to_owned();
            return Err(Error::InvalidRequest { code });
        };
        lock(embedded).extend(request.inputs.iter().cloned());
        tokio::task::yield_now().await;
        let vectors = request.inputs.iter();
        let dimensions = request.dimensions.unwrap_or(1_536) as usize;
        Ok(EmbeddingResponse {
            vectors: vectors.map(|text| bag_of_words(text, dimensions)).collect(),
            model: request.model.clone(),
            usage: Usage {
                input_tokens: request.inputs.iter().map(|text| count_words(text)).sum(),
                ..Usage::default()
            },
        })
    }
}

/// A text as a vector: each word adds one at the place of its hash. Texts without words in common
/// have a cosine of zero, but for words that meet at one place.
#[must_use]
pub fn bag_of_words(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0.0; dimensions];
    let text = text.to_lowercase();
    let words = text.split(|letter: char| !letter.is_alphanumeric());
    for word in words.filter(|word| !word.is_empty()) {
        let hash = Sha256::digest(word);
        let place = u64::from_le_bytes(std::array::from_fn(|index| hash[index]));
        let place = usize::try_from(place % dimensions as u64).unwrap_or_default();
        vector[place] += 1.0;
    }
    vector
}

fn count_words(text: &str) -> i64 {
    text.split_whitespace().map(|_| 1).sum()
}
