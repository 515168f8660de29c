//! `CreateEmbeddingRequest` and `CreateEmbeddingResponse`
//! (<https://github.com/openai/openai-openapi>, `POST /embeddings`).

use serde::{Deserialize, Serialize};

use super::response::UsageBody;
use crate::llm::{EmbeddingRequest, EmbeddingResponse, Error, Usage, providers::http::malformed};

#[derive(Serialize)]
pub(super) struct EmbeddingBody<'a> {
    model: &'a str,
    input: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
}

impl<'a> EmbeddingBody<'a> {
    pub(super) fn new(request: &'a EmbeddingRequest) -> Self {
        Self {
            model: &request.model,
            input: &request.inputs,
            dimensions: request.dimensions,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct EmbeddingAnswer {
    model: Option<String>,
    data: Vec<Vector>,
    usage: Option<UsageBody>,
}

#[derive(Deserialize)]
struct Vector {
    index: usize,
    embedding: Vec<f32>,
}

impl EmbeddingAnswer {
    pub(super) fn into_response(
        mut self,
        request: &EmbeddingRequest,
    ) -> Result<EmbeddingResponse, Error> {
        self.data.sort_by_key(|vector| vector.index);
        let indexes = self.data.iter().map(|vector| vector.index);
        if !indexes.eq(0..request.inputs.len()) {
            return Err(malformed("the answer has not one vector for each text"));
        }
        let estimate = Usage::embedding_estimate(request);
        let told = self.usage.and_then(|usage| usage.prompt_tokens);
        let usage = told.map_or(estimate, |input_tokens| Usage {
            input_tokens,
            ..Usage::default()
        });
        let usage = usage.or_untold(estimate);
        let vectors = self.data.into_iter().map(|vector| vector.embedding);
        Ok(EmbeddingResponse {
            vectors: vectors.collect(),
            model: self.model.unwrap_or_else(|| request.model.clone()),
            usage,
        })
    }
}
