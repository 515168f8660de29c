//! The Responses interface, for models that chat completions do not have
//! (<https://github.com/openai/openai-openapi>, `POST /responses`).

mod answer;
mod events;

use serde::Serialize;
use serde_json::{Value, json};

pub(super) use self::{answer::ResponsesAnswer, events::EventReader};
use super::request::{detail, image_url, role};
use crate::llm::{
    ChatRequest, Error, Message, OutputFormat, Part, Role, Tool, ToolCall, ToolChoice,
    providers::http::{Mode, invalid},
};

/// `CreateResponse`.
#[derive(Serialize)]
pub(super) struct ResponsesBody<'a> {
    model: &'a str,
    input: Vec<Value>,
    max_output_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Value>,
    /// OpenAI would keep the conversation for a month otherwise.
    store: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
}

impl<'a> ResponsesBody<'a> {
    /// # Errors
    /// Returns `no_stop` for texts that end the answer, which this interface does not know.
    pub(super) fn new(request: &'a ChatRequest, mode: Mode) -> Result<Self, Error> {
        if !request.stop.is_empty() {
            return Err(invalid("no_stop"));
        }
        Ok(Self {
            model: &request.model,
            input: request.messages.iter().flat_map(items).collect(),
            max_output_tokens: request.max_output_tokens,
            temperature: request.temperature,
            top_p: request.top_p,
            tools: request.tools.iter().map(tool).collect(),
            tool_choice: tool_choice(request),
            text: format(&request.output),
            store: false,
            stream: (mode == Mode::Stream).then_some(true),
        })
    }
}

/// A message for all that is said, and an item for each call and result.
fn items(message: &Message) -> Vec<Value> {
    let content: Vec<_> = message.parts.iter().filter_map(content).collect();
    let said = match message.role {
        _ if content.is_empty() => None,
        // Lists of parts of the model's own have ids that are not kept.
        Role::Assistant => Some(json!({ "role": "assistant", "content": message.text() })),
        speaker => Some(json!({ "role": role(speaker), "content": content })),
    };
    let acts = message.parts.iter().filter_map(act);
    said.into_iter().chain(acts).collect()
}

fn content(part: &Part) -> Option<Value> {
    match part {
        Part::Text(text) => Some(json!({ "type": "input_text", "text": text })),
        Part::Image(image) => Some(json!({
            "type": "input_image",
            "image_url": image_url(image),
            "detail": detail(image).unwrap_or("auto"),
        })),
        Part::ToolCall(_) | Part::ToolResult { .. } => None,
    }
}

fn act(part: &Part) -> Option<Value> {
    match part {
        Part::ToolCall(ToolCall {
            id,
            name,
            arguments,
            ..
        }) => Some(json!({
            "type": "function_call",
            "call_id": id,
            "name": name,
            "arguments": arguments,
        })),
        Part::ToolResult {
            call_id, content, ..
        } => Some(json!({
            "type": "function_call_output",
            "call_id": call_id,
            "output": content,
        })),
        Part::Text(_) | Part::Image(_) => None,
    }
}

fn tool(tool: &Tool) -> Value {
    json!({
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        // It is the default here, unlike in chat completions, and refuses many schemas.
        "strict": tool.strict,
    })
}

fn tool_choice(request: &ChatRequest) -> Option<Value> {
    let choice = match &request.tool_choice {
        ToolChoice::Auto => return None,
        ToolChoice::None => json!("none"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Named(name) => json!({ "type": "function", "name": name }),
    };
    Some(choice).filter(|_| !request.tools.is_empty())
}

fn format(output: &OutputFormat) -> Option<Value> {
    let format = match output {
        OutputFormat::Text => return None,
        OutputFormat::JsonObject => json!({ "type": "json_object" }),
        OutputFormat::JsonSchema {
            name,
            schema,
            strict,
        } => json!({ "type": "json_schema", "name": name, "schema": schema, "strict": strict }),
    };
    Some(json!({ "format": format }))
}
