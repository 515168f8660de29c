//! Requests that every provider is asked.

use serde_json::{Value, json};
use shared::llm::{
    ChatRequest, EmbeddingRequest, ImageSource, Message, OutputFormat, Part, Role, Tool, ToolCall,
};

pub(crate) fn request() -> ChatRequest {
    ChatRequest {
        model: "gpt-4.1-mini".to_owned(),
        messages: vec![
            Message::system("Be brief."),
            Message::user("Is this JSON?"),
            Message::assistant("Which?"),
            Message::user("Any JSON."),
        ],
        max_output_tokens: 64,
        temperature: Some(0.2),
        idempotency_key: "execution-1:node-1".to_owned(),
        ..ChatRequest::default()
    }
}

/// A conversation with an image, two calls of tools and their results.
pub(crate) fn request_with_tools(model: &str) -> ChatRequest {
    let calls = [
        call("call_1", r#"{"city":"Oslo"}"#),
        call("call_2", "{broken"),
    ];
    let image = ImageSource::Data {
        media_type: "image/png".to_owned(),
        base64: "iVBORw0KGgo=".to_owned(),
    };
    ChatRequest {
        model: model.to_owned(),
        messages: vec![
            Message::system("Be brief."),
            Message {
                role: Role::User,
                parts: vec![
                    Part::Text("Where is it?".to_owned()),
                    Part::Image(image.into()),
                ],
            },
            Message {
                role: Role::Assistant,
                parts: calls.clone().map(Part::ToolCall).into(),
            },
            Message::tool_result(&calls[0], r#"{"degrees":4}"#),
            Message::tool_result(&calls[1], "no such city"),
        ],
        tools: vec![tool()],
        max_output_tokens: 64,
        top_p: Some(0.9),
        idempotency_key: "execution-1:node-1".to_owned(),
        ..ChatRequest::default()
    }
}

pub(crate) fn call(id: &str, arguments: &str) -> ToolCall {
    ToolCall {
        id: id.to_owned(),
        name: "weather".to_owned(),
        arguments: arguments.to_owned(),
        signature: None,
    }
}

pub(crate) fn tool() -> Tool {
    Tool {
        name: "weather".to_owned(),
        description: "Tells the weather.".to_owned(),
        parameters: schema(),
        strict: false,
    }
}

pub(crate) fn schema() -> Value {
    json!({
        "type": "object",
        "properties": { "city": { "type": "string" } },
        "required": ["city"],
        "additionalProperties": false,
    })
}

pub(crate) fn json_schema() -> OutputFormat {
    OutputFormat::JsonSchema {
        name: "place".to_owned(),
        schema: schema(),
        strict: true,
    }
}

pub(crate) fn embedding_request(model: &str) -> EmbeddingRequest {
    EmbeddingRequest {
        model: model.to_owned(),
        inputs: vec!["one text".to_owned(), "another".to_owned()],
        dimensions: Some(2),
        idempotency_key: "memory-1".to_owned(),
    }
}
