//! `GenerateContentRequest`, the same at Gemini and at Vertex AI
//! (<https://ai.google.dev/api/generate-content#request-body>).

use serde::Serialize;
use serde_json::{Value, json};

use crate::llm::{
    ChatRequest, Error, Image, ImageSource, Message, OutputFormat, Part, Role, Tool, ToolCall,
    ToolChoice, providers::http::invalid,
};

/// What stands in for the signature of a call that another model made, as Google has it
/// (<https://ai.google.dev/gemini-api/docs/thought-signatures>, "transferring history"). Gemini 3
/// refuses calls that have none.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// Begins the ids that are made here, where Gemini gave none.
pub(super) const OWN_ID: &str = "gemini-";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct RequestBody {
    contents: Vec<Content>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<Value>,
    generation_config: GenerationConfig,
}

#[derive(Serialize)]
struct Content {
    role: &'static str,
    parts: Vec<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GenerationConfig {
    max_output_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<Value>,
}

impl RequestBody {
    /// # Errors
    /// Returns `image_by_url` for images that are not sent along.
    pub(in super::super) fn new(request: &ChatRequest) -> Result<Self, Error> {
        Ok(Self {
            contents: contents(&request.messages)?,
            system_instruction: system_instruction(request),
            tools: tools(&request.tools),
            tool_config: tool_config(request),
            generation_config: GenerationConfig::new(request),
        })
    }
}

impl GenerationConfig {
    fn new(request: &ChatRequest) -> Self {
        let schema = match &request.output {
            OutputFormat::JsonSchema { schema, .. } => Some(schema.clone()),
            OutputFormat::Text | OutputFormat::JsonObject => None,
        };
        let is_json = request.output != OutputFormat::Text;
        Self {
            max_output_tokens: request.max_output_tokens,
            temperature: request.temperature,
            top_p: request.top_p,
            stop_sequences: request.stop.clone(),
            response_mime_type: is_json.then_some("application/json"),
            response_json_schema: schema,
        }
    }
}

/// What the application says stands apart, wherever in the conversation it said it.
fn system_instruction(request: &ChatRequest) -> Option<Value> {
    let said = request.messages.iter();
    let said = said.filter(|message| message.role == Role::System);
    let parts: Vec<_> = said
        .map(|message| json!({ "text": message.text() }))
        .collect();
    (!parts.is_empty()).then(|| json!({ "parts": parts }))
}

/// Results of tools are the user's, and as many as the calls of one answer in one turn.
fn contents(messages: &[Message]) -> Result<Vec<Content>, Error> {
    let mut contents: Vec<Content> = Vec::new();
    for message in messages {
        let role = match message.role {
            Role::System => continue,
            Role::User | Role::Tool => "user",
            Role::Assistant => "model",
        };
        let parts = parts(message)?;
        match contents.last_mut() {
            Some(content) if content.role == role => content.parts.extend(parts),
            _ if parts.is_empty() => {}
            _ => contents.push(Content { role, parts }),
        }
    }
    Ok(contents)
}

fn parts(message: &Message) -> Result<Vec<Value>, Error> {
    let mut has_call = false;
    let mut parts = Vec::new();
    for part in &message.parts {
        match part {
            Part::Text(text) if text.is_empty() => {}
            Part::Text(text) => parts.push(json!({ "text": text })),
            Part::Image(image) => parts.push(inline_data(image)?),
            Part::ToolCall(call) => {
                parts.push(function_call(call, !has_call));
                has_call = true;
            }
            Part::ToolResult {
                call_id,
                name,
                content,
            } => parts.push(function_response(call_id, name, content)),
        }
    }
    Ok(parts)
}

fn inline_data(image: &Image) -> Result<Value, Error> {
    match &image.source {
        ImageSource::Url(_) => Err(invalid("image_by_url")),
        ImageSource::Data { media_type, base64 } => {
            Ok(json!({ "inlineData": { "mimeType": media_type, "data": base64 } }))
        }
    }
}

/// Only the first of the calls of a turn must have a signature. Arguments that are no object cannot
/// be said again; the tool's result tells the model of them.
fn function_call(call: &ToolCall, is_first: bool) -> Value {
    let args = serde_json::from_str(&call.arguments).ok();
    let args = args.filter(Value::is_object).unwrap_or_else(|| json!({}));
    let mut part = json!({ "functionCall": { "name": call.name, "args": args } });
    if let Some(id) = id(&call.id) {
        part["functionCall"]["id"] = json!(id);
    }
    let signature = call.signature.as_deref();
    let signature = signature.or(is_first.then_some(NO_SIGNATURE));
    if let Some(signature) = signature {
        part["thoughtSignature"] = json!(signature);
    }
    part
}

fn function_response(call_id: &str, name: &str, content: &str) -> Value {
    let response = serde_json::from_str(content).ok();
    let response = response.filter(Value::is_object);
    let response = response.unwrap_or_else(|| json!({ "output": content }));
    let mut part = json!({ "functionResponse": { "name": name, "response": response } });
    if let Some(id) = id(call_id) {
        part["functionResponse"]["id"] = json!(id);
    }
    part
}

/// Ids that Gemini did not give are not told to it.
fn id(id: &str) -> Option<&str> {
    Some(id).filter(|id| !id.is_empty() && !id.starts_with(OWN_ID))
}

fn tools(tools: &[Tool]) -> Vec<Value> {
    if tools.is_empty() {
        return Vec::new();
    }
    let declarations = tools.iter().map(|tool| {
        json!({
            "name": tool.name,
            "description": tool.description,
            "parametersJsonSchema": tool.parameters,
        })
    });
    vec![json!({ "functionDeclarations": declarations.collect::<Vec<_>>() })]
}

fn tool_config(request: &ChatRequest) -> Option<Value> {
    let config = match &request.tool_choice {
        ToolChoice::Auto => return None,
        ToolChoice::None => json!({ "mode": "NONE" }),
        ToolChoice::Required => json!({ "mode": "ANY" }),
        ToolChoice::Named(name) => json!({ "mode": "ANY", "allowedFunctionNames": [name] }),
    };
    let config = json!({ "functionCallingConfig": config });
    Some(config).filter(|_| !request.tools.is_empty())
}
