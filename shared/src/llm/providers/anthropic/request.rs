//! `MessageCreateParams` (<https://platform.claude.com/docs/en/api/messages>).

use serde::Serialize;
use serde_json::{Value, json};

use crate::llm::{
    ChatRequest, Error, Image, ImageSource, Message, OutputFormat, Part, Role, Tool, ToolCall,
    ToolChoice,
    providers::http::{Mode, invalid},
};

/// What images may be.
const MEDIA_TYPES: [&str; 4] = ["image/gif", "image/jpeg", "image/png", "image/webp"];

/// Stands in for the format that the interface does not have.
const JSON_OBJECT: &str = "Answer with one JSON object and nothing else.";

#[derive(Serialize)]
pub(in super::super) struct RequestBody<'a> {
    /// Vertex AI has it in the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    /// Vertex AI has it here and not in a header.
    #[serde(skip_serializing_if = "Option::is_none")]
    anthropic_version: Option<&'static str>,
    max_tokens: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    system: String,
    messages: Vec<Turn>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
}

#[derive(Serialize)]
struct Turn {
    role: &'static str,
    content: Vec<Value>,
}

impl<'a> RequestBody<'a> {
    /// # Errors
    /// Returns `unsupported_image` for images of a kind that Claude does not see.
    pub(in super::super) fn new(request: &'a ChatRequest, mode: Mode) -> Result<Self, Error> {
        Ok(Self {
            model: Some(&request.model),
            anthropic_version: None,
            max_tokens: request.max_output_tokens,
            system: system(request),
            messages: turns(&request.messages)?,
            stop_sequences: &request.stop,
            tools: request.tools.iter().map(tool).collect(),
            tool_choice: tool_choice(request),
            output_config: output_config(&request.output),
            stream: (mode == Mode::Stream).then_some(true),
        })
    }

    /// The same for Vertex AI, as Anthropic's own client for it has it
    /// (<https://github.com/anthropics/anthropic-sdk-typescript/tree/main/packages/vertex-sdk>).
    pub(in super::super) fn for_vertex(self, version: &'static str) -> Self {
        Self {
            model: None,
            anthropic_version: Some(version),
            ..self
        }
    }
}

/// What the application says stands apart, wherever in the conversation it said it.
fn system(request: &ChatRequest) -> String {
    let said = request.messages.iter();
    let said = said.filter(|message| message.role == Role::System);
    let mut said: Vec<_> = said.map(Message::text).collect();
    if request.output == OutputFormat::JsonObject {
        said.push(JSON_OBJECT.to_owned());
    }
    said.retain(|text| !text.is_empty());
    said.join("\n\n")
}

/// Results of tools are the user's, and the results of one answer's calls must be in one turn.
fn turns(messages: &[Message]) -> Result<Vec<Turn>, Error> {
    let mut turns: Vec<Turn> = Vec::new();
    for message in messages {
        let role = match message.role {
            Role::System => continue,
            Role::User | Role::Tool => "user",
            Role::Assistant => "assistant",
        };
        let blocks = message
            .parts
            .iter()
            .filter_map(|part| block(part).transpose());
        let blocks = blocks.collect::<Result<Vec<_>, _>>()?;
        match turns.last_mut() {
            Some(turn) if turn.role == role => turn.content.extend(blocks),
            _ if blocks.is_empty() => {}
            _ => turns.push(Turn {
                role,
                content: blocks,
            }),
        }
    }
    Ok(turns)
}

/// None for a text without letters, which is refused.
fn block(part: &Part) -> Result<Option<Value>, Error> {
    let block = match part {
        Part::Text(text) if text.trim().is_empty() => return Ok(None),
        Part::Text(text) => json!({ "type": "text", "text": text }),
        Part::Image(image) => json!({ "type": "image", "source": image_source(image)? }),
        Part::ToolCall(call) => json!({
            "type": "tool_use",
            "id": call.id,
            "name": call.name,
            "input": input(call),
        }),
        Part::ToolResult {
            call_id, content, ..
        } => json!({ "type": "tool_result", "tool_use_id": call_id, "content": content }),
    };
    Ok(Some(block))
}

fn image_source(image: &Image) -> Result<Value, Error> {
    match &image.source {
        ImageSource::Url(url) => Ok(json!({ "type": "url", "url": url })),
        ImageSource::Data { media_type, .. } if !MEDIA_TYPES.contains(&media_type.as_str()) => {
            Err(invalid("unsupported_image"))
        }
        ImageSource::Data { media_type, base64 } => {
            Ok(json!({ "type": "base64", "media_type": media_type, "data": base64 }))
        }
    }
}

/// Arguments that are no object cannot be said again; the tool's result tells the model of them.
fn input(call: &ToolCall) -> Value {
    let input = serde_json::from_str(&call.arguments).ok();
    input.filter(Value::is_object).unwrap_or_else(|| json!({}))
}

fn tool(tool: &Tool) -> Value {
    let mut body = json!({
        "name": tool.name,
        "description": tool.description,
        "input_schema": tool.parameters,
    });
    if tool.strict {
        body["strict"] = json!(true);
    }
    body
}

fn tool_choice(request: &ChatRequest) -> Option<Value> {
    let choice = match &request.tool_choice {
        ToolChoice::Auto => return None,
        ToolChoice::None => json!({ "type": "none" }),
        ToolChoice::Required => json!({ "type": "any" }),
        ToolChoice::Named(name) => json!({ "type": "tool", "name": name }),
    };
    Some(choice).filter(|_| !request.tools.is_empty())
}

/// A schema has no name here, and is always held to.
fn output_config(output: &OutputFormat) -> Option<Value> {
    let OutputFormat::JsonSchema { schema, .. } = output else {
        return None;
    };
    Some(json!({ "format": { "type": "json_schema", "schema": schema } }))
}
