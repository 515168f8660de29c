use serde_json::json;

use super::MAX_TOKENS;
use crate::{
    graph::{
        fields::Fields,
        schema::{self, Settings},
    },
    inputs::Template,
};

/// Settings of a model call.
#[derive(Clone, Debug)]
pub struct LlmData {
    /// The model, or the name of a route to models; the default model when absent.
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

    pub(super) fn schema() -> Settings {
        let mut system = schema::text("The system prompt.");
        system["minLength"] = json!(0);
        let temperature = schema::number(0..=2, "How freely the model chooses its words.");
        let tokens = schema::integer(1..=MAX_TOKENS, "Limit of the answer, in tokens.");
        let model = schema::plain("The model; without it, that of the default route.");
        Settings::new("Model", "Asks a language model.")
            .optional("model", model)
            .optional("system", system)
            .required("prompt", schema::text("What the model is asked."))
            .optional("temperature", temperature)
            .optional("maxTokens", tokens)
            .optional(
                "json",
                schema::flag("Whether the answer is parsed as JSON."),
            )
    }
}
