//! `CreateChatCompletionRequest`
//! (<https://github.com/openai/openai-openapi>, `POST /chat/completions`).

use serde::Serialize;
use serde_json::{Value, json};

use super::Dialect;
use crate::llm::{
    ChatRequest, Image, ImageDetail, ImageSource, Message, OutputFormat, Part, Role, Tool,
    ToolCall, ToolChoice, providers::http::Mode,
};

#[derive(Serialize)]
pub(super) struct RequestBody<'a> {
    model: &'a str,
    messages: Vec<Value>,
    /// Replaces `max_tokens`, which is deprecated and which reasoning models refuse.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    /// What compatible servers know; Ollama passes the new name over.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<Value>,
}

impl<'a> RequestBody<'a> {
    pub(super) fn new(request: &'a ChatRequest, dialect: Dialect, mode: Mode) -> Self {
        let limit = Some(request.max_output_tokens);
        let is_compatible = dialect == Dialect::Compatible;
        let is_stream = mode == Mode::Stream;
        Self {
            model: &request.model,
            messages: request.messages.iter().flat_map(messages).collect(),
            max_completion_tokens: limit.filter(|_| !is_compatible),
            max_tokens: limit.filter(|_| is_compatible),
            temperature: request.temperature,
            top_p: request.top_p,
            stop: &request.stop,
            tools: request.tools.iter().map(tool).collect(),
            tool_choice: tool_choice(request),
            response_format: response_format(&request.output),
            stream: is_stream.then_some(true),
            stream_options: is_stream.then(|| json!({ "include_usage": true })),
        }
    }
}

/// A message for each result of a tool, and one for all that is said else.
fn messages(message: &Message) -> Vec<Value> {
    let results = message.parts.iter().filter_map(tool_result);
    let mut messages: Vec<_> = results.collect();
    let calls: Vec<_> = message.parts.iter().filter_map(tool_call).collect();
    let is_said = |part: &Part| matches!(part, Part::Text(_) | Part::Image(_));
    let content = message.parts.iter().any(is_said).then(|| content(message));
    if content.is_some() || !calls.is_empty() {
        let mut message = json!({ "role": role(message.role), "content": content });
        if !calls.is_empty() {
            message["tool_calls"] = json!(calls);
        }
        messages.push(message);
    }
    messages
}

/// A string where there is text alone: not every compatible server reads a list of parts.
fn content(message: &Message) -> Value {
    let is_image = |part: &Part| matches!(part, Part::Image(_));
    if !message.parts.iter().any(is_image) {
        return json!(message.text());
    }
    let parts = message.parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(json!({ "type": "text", "text": text })),
        Part::Image(image) => {
            let mut url = json!({ "url": image_url(image) });
            if let Some(detail) = detail(image) {
                url["detail"] = json!(detail);
            }
            Some(json!({ "type": "image_url", "image_url": url }))
        }
        Part::ToolCall(_) | Part::ToolResult { .. } => None,
    });
    parts.collect()
}

/// The image's address, which may hold the image itself.
pub(super) fn image_url(image: &Image) -> String {
    match &image.source {
        ImageSource::Url(url) => url.clone(),
        ImageSource::Data { media_type, base64 } => format!("data:{media_type};base64,{base64}"),
    }
}

/// As both of OpenAI's interfaces call it.
pub(super) fn detail(image: &Image) -> Option<&'static str> {
    Some(match image.detail? {
        ImageDetail::Low => "low",
        ImageDetail::High => "high",
    })
}

fn tool_result(part: &Part) -> Option<Value> {
    let Part::ToolResult {
        call_id, content, ..
    } = part
    else {
        return None;
    };
    Some(json!({ "role": "tool", "tool_call_id": call_id, "content": content }))
}

fn tool_call(part: &Part) -> Option<Value> {
    let Part::ToolCall(ToolCall {
        id,
        name,
        arguments,
        ..
    }) = part
    else {
        return None;
    };
    Some(json!({
        "id": id,
        "type": "function",
        "function": { "name": name, "arguments": arguments },
    }))
}

fn tool(tool: &Tool) -> Value {
    let mut function = json!({
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
    });
    if tool.strict {
        function["strict"] = json!(true);
    }
    json!({ "type": "function", "function": function })
}

/// A choice without tools is refused.
fn tool_choice(request: &ChatRequest) -> Option<Value> {
    let choice = match &request.tool_choice {
        ToolChoice::Auto => return None,
        ToolChoice::None => json!("none"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Named(name) => json!({ "type": "function", "function": { "name": name } }),
    };
    Some(choice).filter(|_| !request.tools.is_empty())
}

fn response_format(output: &OutputFormat) -> Option<Value> {
    match output {
        OutputFormat::Text => None,
        OutputFormat::JsonObject => Some(json!({ "type": "json_object" })),
        OutputFormat::JsonSchema {
            name,
            schema,
            strict,
        } => Some(json!({
            "type": "json_schema",
            "json_schema": { "name": name, "schema": schema, "strict": strict },
        })),
    }
}

/// The name that both of OpenAI's interfaces have for it.
pub(super) fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    }
}
