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
        // There is no output, so that nobody tells its tokens.
        let estimate = Usage::embedding_estimate(request);
        let usage = self.usage.map(|usage| usage.into_usage(estimate));
        let told = usage.filter(|usage| usage.input_tokens > 0);
        let usage = told.map_or(estimate, |usage| Usage {
            output_tokens: 0,
            is_estimated: false,
            ..usage
        });
        let vectors = self.data.into_iter().map(|vector| vector.embedding);
        Ok(EmbeddingResponse {
            vectors: vectors.collect(),
            model: self.model.unwrap_or_else(|| request.model.clone()),
            usage,
        })
    }
}
