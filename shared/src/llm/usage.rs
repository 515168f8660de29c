use super::{ChatRequest, EmbeddingRequest, Message, OutputFormat, Part, Tool, ToolCall};

/// Tokens that the chat format puts around each message, with room to spare
/// (<https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken>).
const TOKENS_PER_MESSAGE: i64 = 16;

/// What a vendor tells the model by itself about how to call tools or keep to a schema: Anthropic
/// names up to 530 tokens
/// (<https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/overview#pricing>).
const TOKENS_OF_INSTRUCTIONS: i64 = 1_024;

/// The most that an image takes with any model in the price list: `gpt-4o-mini` counts 2,833 tokens
/// and 5,667 for each of at most eight tiles
/// (<https://platform.openai.com/docs/guides/images-vision#calculating-costs>).
const TOKENS_PER_IMAGE: i64 = 50_000;

/// Bytes of a token, for estimates: English has four, other scripts and code fewer
/// (<https://help.openai.com/en/articles/4936856-what-are-tokens-and-how-to-count-them>).
const BYTES_PER_TOKEN: i64 = 3;

/// Output that is booked at most for a call of which nothing came. What was asked for is far more
/// than most answers take, and the provider may have worked for as long as it likes.
const UNSEEN_OUTPUT_TOKENS: i64 = 4_096;

/// Tokens of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens in, cached ones included.
    pub input_tokens: i64,
    /// Tokens out, reasoning included.
    pub output_tokens: i64,
    /// Those input tokens that the provider had cached.
    pub cached_tokens: i64,
    /// Those input tokens that the provider put into its cache, which some charge more for.
    pub cache_write_tokens: i64,
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
        let is_instructed = !request.tools.is_empty() || schema > 0;
        let instructions = if is_instructed {
            TOKENS_OF_INSTRUCTIONS
        } else {
            0
        };
        let input_tokens = TOKENS_PER_MESSAGE + messages + tools + schema + instructions;
        Self {
            input_tokens,
            cache_write_tokens: input_tokens,
            output_tokens: i64::from(request.max_output_tokens),
            ..Self::default()
        }
    }

    /// What a call has used about, when the provider has not told: a token for three bytes that
    /// were sent, images at their most, and for three of the `output_bytes` that came. It is never
    /// more than the ceiling.
    #[must_use]
    pub fn estimate(request: &ChatRequest, output_bytes: usize) -> Self {
        let ceiling = Self::ceiling(request);
        let parts = request.messages.iter().flat_map(|message| &message.parts);
        let images = parts.filter(|part| matches!(part, Part::Image(_))).count();
        let images = count(images) * TOKENS_PER_IMAGE;
        let text = ceiling.input_tokens - images;
        let input = Self {
            input_tokens: images + tokens_of(text),
            ..Self::default()
        };
        input.with_output(output_bytes, ceiling.output_tokens)
    }

    /// What a call has used about of whose answer nothing came: its input as in [`Usage::estimate`],
    /// and what it asked for of output, up to 4,096 tokens.
    #[must_use]
    pub fn unseen(request: &ChatRequest) -> Self {
        let output_tokens = i64::from(request.max_output_tokens);
        Self {
            output_tokens: output_tokens.min(UNSEEN_OUTPUT_TOKENS),
            ..Self::estimate(request, 0)
        }
    }

    /// The same with the output that came, a token for three bytes and `most` of them, unless the
    /// provider has told of more.
    #[must_use]
    pub(crate) fn with_output(self, bytes: usize, most: i64) -> Self {
        let output_tokens = tokens_of(count(bytes)).min(most);
        Self {
            output_tokens: output_tokens.max(self.output_tokens),
            is_estimated: true,
            ..self
        }
    }

    /// What a call for embeddings has used about, when the provider has not told.
    #[must_use]
    pub fn embedding_estimate(request: &EmbeddingRequest) -> Self {
        let bytes = request.inputs.iter().map(|input| text_ceiling(input));
        Self {
            input_tokens: bytes.map(tokens_of).sum(),
            is_estimated: true,
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

    /// What a provider told, or `untold` when it cannot be right: there is no call without input.
    /// Some servers have zeros for what they do not count.
    #[must_use]
    pub(crate) fn or_untold(self, untold: Self) -> Self {
        if self.input_tokens > 0 { self } else { untold }
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
        signature,
    } = call;
    let signature = signature.as_deref().unwrap_or_default();
    let texts = [id.as_str(), name, arguments, signature];
    texts.map(text_ceiling).iter().sum::<i64>() + TOKENS_PER_MESSAGE
}

fn tool_ceiling(tool: &Tool) -> i64 {
    let parameters = tool.parameters.to_string();
    let texts = [&tool.name, &tool.description, &parameters];
    texts.map(|text| text_ceiling(text)).iter().sum::<i64>() + TOKENS_PER_MESSAGE
}

/// The most tokens that a text can take.
fn text_ceiling(text: &str) -> i64 {
    count(text.len())
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX / 2)
}

fn tokens_of(bytes: i64) -> i64 {
    bytes / BYTES_PER_TOKEN + i64::from(bytes % BYTES_PER_TOKEN > 0)
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

    #[test]
    fn an_estimate_is_a_third_of_the_bytes_and_below_the_ceiling() {
        let request = ChatRequest {
            messages: vec![Message::user("a".repeat(300 - 2 * 16))],
            max_output_tokens: 50,
            ..ChatRequest::default()
        };
        let estimate = Usage::estimate(&request, 31);
        assert_eq!((estimate.input_tokens, estimate.output_tokens), (100, 11));
        assert!(estimate.is_estimated);
        assert_eq!(Usage::estimate(&request, 1_000_000).output_tokens, 50);
    }
}
