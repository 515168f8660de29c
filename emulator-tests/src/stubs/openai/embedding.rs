//! Vectors that follow from the text alone; texts that share words are close to each other.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::chat::tokens;

const LARGE_MODEL: &str = "text-embedding-3-large";
const LARGE_DIMENSIONS: usize = 3072;
const DIMENSIONS: usize = 1536;

/// `CreateEmbeddingResponse`.
pub(super) fn embed(body: &Value) -> Value {
    let texts = inputs(&body["input"]);
    let dimensions = dimensions(body);
    let in_base64 = body["encoding_format"] == json!("base64");
    let entry = |(index, text): (usize, &String)| {
        let vector = vector(text, dimensions);
        let embedding = if in_base64 {
            json!(
                STANDARD.encode(
                    vector
                        .iter()
                        .flat_map(|x| x.to_le_bytes())
                        .collect::<Vec<u8>>()
                )
            )
        } else {
            json!(vector)
        };
        json!({ "object": "embedding", "index": index, "embedding": embedding })
    };
    let data: Vec<Value> = texts.iter().enumerate().map(entry).collect();
    let tokens: usize = texts.iter().map(|text| tokens(text)).sum();
    json!({
        "object": "list",
        "model": body["model"],
        "data": data,
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
    })
}

fn dimensions(body: &Value) -> usize {
    let asked = body["dimensions"].as_u64();
    let asked = asked.and_then(|dimensions| usize::try_from(dimensions).ok());
    let natural = if body["model"] == json!(LARGE_MODEL) {
        LARGE_DIMENSIONS
    } else {
        DIMENSIONS
    };
    asked.unwrap_or(natural).min(LARGE_DIMENSIONS)
}

/// A text, a list of texts, or token numbers, which stand for themselves.
fn inputs(input: &Value) -> Vec<String> {
    match input {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) if items.iter().all(Value::is_number) => vec![input.to_string()],
        Value::Array(items) => items
            .iter()
            .map(|item| {
                item.as_str()
                    .map_or_else(|| item.to_string(), str::to_owned)
            })
            .collect(),
        other => vec![other.to_string()],
    }
}

/// Each word adds or subtracts one at the place its hash gives; the sum is scaled to length one.
fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0.0_f32; dimensions];
    let lower = text.to_lowercase();
    let words = lower.split(|letter: char| !letter.is_alphanumeric());
    for word in words.filter(|word| !word.is_empty()) {
        let hash = Sha256::digest(word);
        let place = u64::from_le_bytes(std::array::from_fn(|index| hash[index]));
        // The remainder is below `dimensions`, which is a `usize`.
        let place = usize::try_from(place % dimensions as u64).unwrap_or(0);
        vector[place] += if hash[8] % 2 == 0 { 1.0 } else { -1.0 };
    }
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length == 0.0 {
        vector[0] = 1.0;
        return vector;
    }
    vector.iter().map(|x| x / length).collect()
}
