//! `models.embedContent` for Gemini's embeddings and `models.predict` for those before, as Google's
//! own client chooses (`t_is_vertex_embed_content_model` of `google-genai`).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::llm::{
    EmbeddingRequest, EmbeddingResponse, Error, Usage,
    providers::{gemini::normalized, http::malformed},
};

/// A call for one text.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum EmbeddingCall {
    EmbedContent(Value),
    Predict(Value),
}

impl EmbeddingCall {
    pub(super) fn new(request: &EmbeddingRequest, input: &str) -> Self {
        let dimensions = request.dimensions;
        if request.model.contains("gemini") {
            let mut body = json!({ "content": { "parts": [{ "text": input }] } });
            if let Some(dimensions) = dimensions {
                body["embedContentConfig"] = json!({ "outputDimensionality": dimensions });
            }
            return Self::EmbedContent(body);
        }
        let mut body = json!({ "instances": [{ "content": input }] });
        if let Some(dimensions) = dimensions {
            body["parameters"] = json!({ "outputDimensionality": dimensions });
        }
        Self::Predict(body)
    }

    pub(super) fn method(&self) -> &'static str {
        match self {
            Self::EmbedContent(_) => "embedContent",
            Self::Predict(_) => "predict",
        }
    }
}

/// Either call's answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    embedding: Option<Embedding>,
    usage_metadata: Option<UsageMetadata>,
    #[serde(default)]
    predictions: Vec<Prediction>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UsageMetadata {
    prompt_token_count: Option<i64>,
}

#[derive(Deserialize)]
struct Prediction {
    embeddings: Embedding,
}

#[derive(Deserialize)]
struct Embedding {
    values: Vec<f32>,
    statistics: Option<Statistics>,
}

#[derive(Deserialize)]
struct Statistics {
    token_count: Option<f64>,
}

/// What has been embedded so far.
pub(super) struct Embedded<'a> {
    request: &'a EmbeddingRequest,
    response: EmbeddingResponse,
}

impl<'a> Embedded<'a> {
    pub(super) fn new(request: &'a EmbeddingRequest) -> Self {
        Self {
            request,
            response: EmbeddingResponse {
                vectors: Vec::new(),
                model: request.model.clone(),
                usage: Usage::default(),
            },
        }
    }

    pub(super) fn add(&mut self, answer: Answer, input: &str) -> Result<(), Error> {
        let told = answer
            .usage_metadata
            .and_then(|usage| usage.prompt_token_count);
        let prediction = answer.predictions.into_iter().next();
        let embedding = answer
            .embedding
            .or(prediction.map(|found| found.embeddings));
        let embedding = embedding.ok_or_else(|| malformed("the answer has no vector"))?;
        let counted = embedding.statistics.and_then(|found| found.token_count);
        #[expect(clippy::cast_possible_truncation, reason = "a count of tokens")]
        let told = told.or(counted.map(|count| count as i64));
        let usage = &mut self.response.usage;
        usage.is_estimated |= told.is_none();
        usage.input_tokens += told.unwrap_or_else(|| estimate(self.request, input));
        let vector = normalized(embedding.values, self.request);
        self.response.vectors.push(vector);
        Ok(())
    }

    /// The failure of a text's call: those before it are paid, and it may be itself.
    pub(super) fn broken_off(&self, error: Error, input: &str) -> Error {
        if self.response.vectors.is_empty() {
            return error;
        }
        let mut usage = self.response.usage;
        if !error.is_unused() {
            usage.is_estimated = true;
            usage.input_tokens += estimate(self.request, input);
        }
        error.having_used(Some(usage))
    }

    pub(super) fn into_response(self) -> EmbeddingResponse {
        self.response
    }
}

fn estimate(request: &EmbeddingRequest, input: &str) -> i64 {
    let one = EmbeddingRequest {
        inputs: vec![input.to_owned()],
        ..request.clone()
    };
    Usage::embedding_estimate(&one).input_tokens
}
