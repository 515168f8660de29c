use std::fmt;

use serde::{Deserialize, Serialize};

/// Who runs a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderName {
    /// <https://platform.openai.com>.
    Openai,
    /// <https://platform.claude.com>.
    Anthropic,
    /// <https://ai.google.dev>.
    Gemini,
    /// Gemini and Claude on Vertex AI.
    Vertex,
    /// A server of one's own that speaks OpenAI's chat completions, such as Ollama or vLLM.
    Compatible,
}

impl ProviderName {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Openai,
        Self::Anthropic,
        Self::Gemini,
        Self::Vertex,
        Self::Compatible,
    ];

    /// The name as it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Vertex => "vertex",
            Self::Compatible => "compatible",
        }
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_is_stored_as_it_is_shown() {
        for name in ProviderName::ALL {
            assert_eq!(json!(name), json!(name.to_string()));
        }
    }
}
