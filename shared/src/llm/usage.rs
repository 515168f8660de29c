use super::ChatRequest;

/// Tokens that the chat format puts around each message, with room to spare
/// (<https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken>).
const TOKENS_PER_MESSAGE: i64 = 16;

/// Tokens of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens in, cached ones included.
    pub input_tokens: i64,
    /// Tokens out, reasoning included.
    pub output_tokens: i64,
    /// Those input tokens that the provider had cached.
    pub cached_tokens: i64,
    /// Those output tokens that the model reasoned with.
    pub reasoning_tokens: i64,
}

impl Usage {
    /// The most that a call can use.
    ///
    /// A byte-level tokenizer makes at most one token of a byte, so this bound holds for any text.
    #[must_use]
    pub fn ceiling(request: &ChatRequest) -> Self {
        let tokens = |message: &super::Message| text_ceiling(&message.content) + TOKENS_PER_MESSAGE;
        Self {
            input_tokens: TOKENS_PER_MESSAGE + request.messages.iter().map(tokens).sum::<i64>(),
            output_tokens: i64::from(request.max_output_tokens),
            ..Self::default()
        }
    }

    /// Input and output tokens.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}

/// The most tokens that a text can take.
fn text_ceiling(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::Message;

    #[test]
    fn the_ceiling_counts_every_byte_and_message() {
        let request = ChatRequest {
            model: "gpt-4.1-mini".to_owned(),
            messages: vec![Message::system("äb"), Message::user("c")],
            max_output_tokens: 100,
            temperature: None,
            json: false,
            idempotency_key: "k".to_owned(),
        };
        let ceiling = Usage::ceiling(&request);
        assert_eq!(ceiling.input_tokens, 3 + 1 + 3 * TOKENS_PER_MESSAGE);
        assert_eq!(ceiling.total(), ceiling.input_tokens + 100);
    }
}
