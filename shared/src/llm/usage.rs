use super::{ChatRequest, EmbeddingRequest, Message, OutputFormat, Part, Tool, ToolCall};

/// Tokens that the chat format puts around each message, with room to spare
/// (<https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken>).
const TOKENS_PER_MESSAGE: i64 = 16;

/// The most that an image takes with any model in the price list: `gpt-4o-mini` counts 2,833 tokens
/// and 5,667 for each of at most eight tiles
/// (<https://platform.openai.com/docs/guides/images-vision#calculating-costs>).
const TOKENS_PER_IMAGE: i64 = 50_000;

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
    /// Whether the provider has not told it, so that it is counted here.
    pub is_estimated: bool,
}

impl Usage {
    /// The most that a call can use.
    ///
    /// A byte-level tokenizer makes at most one token of a byte, so this bound holds for any text.
    #[must_use]
    pub fn ceiling(request: &ChatRequest) -> Self {
        let messages = request.messages.iter().map(message_ceiling).sum::<i64>();
        let tools = request.tools.iter().map(tool_ceiling).sum::<i64>();
        let schema = match &request.output {
            OutputFormat::JsonSchema { name, schema, .. } => {
                text_ceiling(name) + text_ceiling(&schema.to_string())
            }
            _ => 0,
        };
        Self {
            input_tokens: TOKENS_PER_MESSAGE + messages + tools + schema,
            output_tokens: i64::from(request.max_output_tokens),
            ..Self::default()
        }
    }

    /// The most that a call for embeddings can use.
    #[must_use]
    pub fn embedding_ceiling(request: &EmbeddingRequest) -> Self {
        let inputs = request.inputs.iter();
        let tokens = inputs.map(|input| text_ceiling(input) + TOKENS_PER_MESSAGE);
        Self {
            input_tokens: tokens.sum(),
            ..Self::default()
        }
    }

    /// Input and output tokens.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}

fn message_ceiling(message: &Message) -> i64 {
    let parts = message.parts.iter().map(|part| match part {
        Part::Text(text) => text_ceiling(text),
        Part::Image(_) => TOKENS_PER_IMAGE,
        Part::ToolCall(call) => call_ceiling(call),
        Part::ToolResult {
            call_id,
            name,
            content,
        } => text_ceiling(call_id) + text_ceiling(name) + text_ceiling(content),
    });
    parts.sum::<i64>() + TOKENS_PER_MESSAGE
}

fn call_ceiling(call: &ToolCall) -> i64 {
    let ToolCall {
        id,
        name,
        arguments,
    } = call;
    text_ceiling(id) + text_ceiling(name) + text_ceiling(arguments) + TOKENS_PER_MESSAGE
}

fn tool_ceiling(tool: &Tool) -> i64 {
    let parameters = tool.parameters.to_string();
    let texts = [&tool.name, &tool.description, &parameters];
    texts.map(|text| text_ceiling(text)).iter().sum::<i64>() + TOKENS_PER_MESSAGE
}

/// The most tokens that a text can take.
fn text_ceiling(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn the_ceiling_counts_every_byte_and_message() {
        let request = ChatRequest {
            model: "gpt-4.1-mini".to_owned(),
            messages: vec![Message::system("äb"), Message::user("c")],
            max_output_tokens: 100,
            ..ChatRequest::default()
        };
        let ceiling = Usage::ceiling(&request);
        assert_eq!(ceiling.input_tokens, 3 + 1 + 3 * TOKENS_PER_MESSAGE);
        assert_eq!(ceiling.total(), ceiling.input_tokens + 100);
    }
}
