//! `models.batchEmbedContents` (<https://ai.google.dev/api/embeddings>).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::llm::{EmbeddingRequest, EmbeddingResponse, Error, Usage, providers::http::malformed};

#[derive(Serialize)]
pub(super) struct BatchBody {
    requests: Vec<Value>,
}

impl BatchBody {
    pub(super) fn new(request: &EmbeddingRequest) -> Self {
        let requests = request.inputs.iter().map(|input| {
            let mut body = json!({
                "model": format!("models/{}", request.model),
                "content": { "parts": [{ "text": input }] },
            });
            if let Some(dimensions) = request.dimensions {
                body["outputDimensionality"] = json!(dimensions);
            }
            body
        });
        Self {
            requests: requests.collect(),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct BatchAnswer {
    embeddings: Vec<ContentEmbedding>,
}

#[derive(Deserialize)]
struct ContentEmbedding {
    values: Vec<f32>,
}

impl BatchAnswer {
    /// What the call used is not told.
    pub(super) fn into_response(
        self,
        request: &EmbeddingRequest,
    ) -> Result<EmbeddingResponse, Error> {
        if self.embeddings.len() != request.inputs.len() {
            return Err(malformed("the answer has not one vector for each text"));
        }
        let vectors = self.embeddings.into_iter();
        let vectors = vectors.map(|embedding| normalized(embedding.values, request));
        Ok(EmbeddingResponse {
            vectors: vectors.collect(),
            model: request.model.clone(),
            usage: Usage::embedding_estimate(request),
        })
    }
}

/// Google gives vectors of length 1 but for those that were shortened
/// (<https://ai.google.dev/gemini-api/docs/embeddings#control-embedding-size>).
pub(in super::super) fn normalized(vector: Vec<f32>, request: &EmbeddingRequest) -> Vec<f32> {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if request.dimensions.is_none() || length <= 0.0 {
        return vector;
    }
    vector.into_iter().map(|value| value / length).collect()
}
