use super::Usage;

/// Texts to be placed in a model's space.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingRequest {
    /// The model's name at the provider.
    pub model: String,
    /// The texts; at least one, none empty.
    pub inputs: Vec<String>,
    /// Length of the vectors; the model's own when absent.
    pub dimensions: Option<u32>,
    /// Equal for repeats of the same call; see [`ChatRequest`](super::ChatRequest).
    pub idempotency_key: String,
}

/// Where the texts are.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingResponse {
    /// A vector for each text, in order.
    pub vectors: Vec<Vec<f32>>,
    /// The model that answered.
    pub model: String,
    /// What the call used; there is no output.
    pub usage: Usage,
}
