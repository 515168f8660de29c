//! `CreateEmbeddingRequest` and `CreateEmbeddingResponse`.

use base64::{Engine, prelude::BASE64_STANDARD};
use garde::Validate;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};
use shared::llm::{EmbeddingRequest, EmbeddingResponse};

use super::{model, refuse};
use crate::error::Problem;

/// Inputs at most: what every provider takes at once, and what their answers can be read of.
const MAX_INPUTS: usize = 100;

/// What a client sends.
#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(crate) struct EmbeddingsBody {
    model: String,
    input: Input,
    dimensions: Option<u32>,
    encoding_format: Option<String>,
    #[serde(rename = "user")]
    _user: Option<IgnoredAny>,
}

/// Texts. Tokens of one vendor mean nothing to another.
#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    One(String),
    Several(Vec<String>),
}

impl EmbeddingsBody {
    /// Reads the request, and whether its vectors are to come in base64.
    ///
    /// # Errors
    /// Returns the field that is wrong.
    pub(crate) fn read(self, key: String) -> Result<(EmbeddingRequest, bool), Problem> {
        let inputs = match self.input {
            Input::One(text) => vec![text],
            Input::Several(texts) => texts,
        };
        let is_good = (1..=MAX_INPUTS).contains(&inputs.len());
        if !is_good || inputs.iter().any(String::is_empty) {
            let message = format!("must be 1 to {MAX_INPUTS} texts, none empty");
            return refuse("input", &message);
        }
        if self.dimensions == Some(0) {
            return refuse("dimensions", "must be at least 1");
        }
        let is_base64 = match self.encoding_format.as_deref() {
            None | Some("float") => false,
            Some("base64") => true,
            Some(_) => return refuse("encoding_format", "must be `float` or `base64`"),
        };
        let request = EmbeddingRequest {
            model: model(self.model)?,
            inputs,
            dimensions: self.dimensions,
            idempotency_key: key,
        };
        Ok((request, is_base64))
    }
}

/// The answer. In base64, numbers are 32-bit floats, the lowest byte first.
pub(crate) fn embeddings(response: &EmbeddingResponse, is_base64: bool) -> Value {
    let vectors = response.vectors.iter().enumerate();
    let data = vectors.map(|(index, vector)| {
        let embedding = match is_base64 {
            true => {
                let bytes = vector.iter().flat_map(|number| number.to_le_bytes());
                BASE64_STANDARD.encode(bytes.collect::<Vec<_>>()).into()
            }
            false => json!(vector),
        };
        json!({ "object": "embedding", "index": index, "embedding": embedding })
    });
    let tokens = response.usage.input_tokens;
    json!({
        "object": "list",
        "model": response.model,
        "data": data.collect::<Vec<_>>(),
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
    })
}
