use std::fmt;

use serde::{Deserialize, Serialize};

/// Who runs models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderName {
    /// OpenAI, or whoever speaks its chat completions.
    Openai,
    /// Anthropic.
    Anthropic,
    /// Google's Gemini API.
    Gemini,
    /// Vertex AI, with Gemini's and Anthropic's models.
    Vertex,
}

impl ProviderName {
    /// The stored name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Vertex => "vertex",
        }
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
