use super::MAX_TOKENS;
use crate::{graph::fields::Fields, inputs::Template};

/// Settings of a model call.
#[derive(Clone, Debug)]
pub struct LlmData {
    /// The model; without it, the default route's.
    pub model: Option<String>,
    /// The system prompt.
    pub system: Option<Template>,
    /// What the model is asked.
    pub prompt: Template,
    /// 0 to 2.
    pub temperature: Option<f64>,
    /// Limit of the answer.
    pub max_tokens: Option<u32>,
    /// Whether the answer is parsed as JSON.
    pub json: bool,
}

impl LlmData {
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let model: Option<String> = fields.optional("model");
        if model.as_ref().is_some_and(String::is_empty) {
            fields.refuse("model", "must not be empty");
        }
        let system = fields.optional_text("system");
        let prompt = fields.text("prompt");
        let temperature = fields.within("temperature", 0.0..=2.0);
        let max_tokens = fields.within("maxTokens", 1..=MAX_TOKENS);
        let json = fields.optional("json").unwrap_or_default();
        Some(Self {
            model,
            system,
            prompt: prompt?,
            temperature,
            max_tokens,
            json,
        })
    }
}
