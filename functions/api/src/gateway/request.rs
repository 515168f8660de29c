//! `CreateChatCompletionRequest`.

use garde::Validate;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value};
use shared::llm::{ChatRequest, OutputFormat, Tool, ToolChoice};

use super::{
    message::{MessageBody, conversation},
    model, refuse,
};
use crate::error::Problem;

/// Tokens that an answer may take unless the request tells.
const DEFAULT_MAX_TOKENS: u32 = 4_096;

/// Tokens that an answer may take at most.
const MAX_TOKENS: u32 = 128_000;

/// Tools at most, as OpenAI has it.
const MAX_TOOLS: usize = 128;

/// What a client sends. What changes nothing that models say is taken and passed over; `only` what
/// is said in its place is taken of the rest.
#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(crate) struct CompletionBody {
    model: String,
    messages: Vec<MessageBody>,
    tools: Option<Vec<ToolBody>>,
    tool_choice: Option<ToolChoiceBody>,
    max_completion_tokens: Option<u32>,
    max_tokens: Option<u32>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    stop: Option<Stop>,
    response_format: Option<ResponseFormat>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    /// Only 1.
    n: Option<u32>,
    /// Only 0.
    frequency_penalty: Option<f64>,
    /// Only 0.
    presence_penalty: Option<f64>,
    /// Only `false`.
    logprobs: Option<bool>,
    /// Only `["text"]`.
    modalities: Option<Vec<String>>,
    /// Only `true`.
    parallel_tool_calls: Option<bool>,
    /// Only `auto` and `default`.
    service_tier: Option<String>,
    #[serde(rename = "user")]
    _user: Option<IgnoredAny>,
    #[serde(rename = "metadata")]
    _metadata: Option<IgnoredAny>,
    #[serde(rename = "store")]
    _store: Option<IgnoredAny>,
    #[serde(rename = "seed")]
    _seed: Option<IgnoredAny>,
    #[serde(rename = "safety_identifier")]
    _safety_identifier: Option<IgnoredAny>,
    #[serde(rename = "prompt_cache_key")]
    _prompt_cache_key: Option<IgnoredAny>,
}

/// A request that can be made.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) request: ChatRequest,
    pub(crate) is_stream: bool,
    /// Whether a stream ends with what was used.
    pub(crate) tells_usage: bool,
}

#[derive(Deserialize)]
struct ToolBody {
    #[serde(rename = "type")]
    kind: String,
    function: Option<FunctionBody>,
}

#[derive(Deserialize)]
struct FunctionBody {
    name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    parameters: Option<Value>,
    #[serde(default)]
    strict: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ToolChoiceBody {
    Word(String),
    Named { function: NamedBody },
}

#[derive(Deserialize)]
struct NamedBody {
    name: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Stop {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ResponseFormat {
    Text,
    JsonObject,
    JsonSchema { json_schema: SchemaBody },
}

#[derive(Deserialize)]
struct SchemaBody {
    name: String,
    #[serde(default)]
    schema: Option<Value>,
    #[serde(default)]
    strict: Option<bool>,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

impl CompletionBody {
    /// Reads the request, which is known by `key` from now on.
    ///
    /// # Errors
    /// Returns the field that is wrong or not taken here.
    pub(crate) fn read(self, key: String) -> Result<Asked, Problem> {
        self.check_what_is_not_taken()?;
        let is_stream = self.stream.unwrap_or_default();
        let options = self.stream_options;
        let request = ChatRequest {
            max_output_tokens: max_tokens(self.max_completion_tokens, self.max_tokens)?,
            temperature: within("temperature", self.temperature, 2.0)?,
            top_p: within("top_p", self.top_p, 1.0)?,
            stop: stop(self.stop)?,
            tools: tools(self.tools.unwrap_or_default())?,
            tool_choice: tool_choice(self.tool_choice)?,
            output: output(self.response_format)?,
            messages: conversation(self.messages)?,
            model: model(self.model)?,
            idempotency_key: key,
        };
        check_choice(&request)?;
        Ok(Asked {
            request,
            is_stream,
            tells_usage: options.and_then(|options| options.include_usage) == Some(true),
        })
    }

    fn check_what_is_not_taken(&self) -> Result<(), Problem> {
        let is_zero = |number: Option<f64>| number.unwrap_or_default() == 0.0;
        let tier = self.service_tier.as_deref().unwrap_or("auto");
        let modalities = self.modalities.as_deref().unwrap_or_default();
        let rows = [
            ("n", self.n.is_none_or(|n| n == 1), "must be 1"),
            (
                "frequency_penalty",
                is_zero(self.frequency_penalty),
                "must be 0",
            ),
            (
                "presence_penalty",
                is_zero(self.presence_penalty),
                "must be 0",
            ),
            ("logprobs", self.logprobs != Some(true), "must be false"),
            (
                "modalities",
                modalities.iter().all(|modality| modality == "text"),
                "must be `text` only",
            ),
            (
                "parallel_tool_calls",
                self.parallel_tool_calls != Some(false),
                "must be true",
            ),
            (
                "service_tier",
                ["auto", "default"].contains(&tier),
                "must be `auto` or `default`",
            ),
        ];
        match rows.iter().find(|(_, is_taken, _)| !is_taken) {
            Some((field, _, message)) => refuse(*field, message),
            None => Ok(()),
        }
    }
}

fn max_tokens(newer: Option<u32>, older: Option<u32>) -> Result<u32, Problem> {
    let (field, asked) = match (newer, older) {
        (Some(asked), _) => ("max_completion_tokens", asked),
        (None, Some(asked)) => ("max_tokens", asked),
        (None, None) => return Ok(DEFAULT_MAX_TOKENS),
    };
    match (1..=MAX_TOKENS).contains(&asked) {
        true => Ok(asked),
        false => refuse(field, &format!("must be from 1 to {MAX_TOKENS}")),
    }
}

fn within(field: &str, number: Option<f64>, most: f64) -> Result<Option<f64>, Problem> {
    match number {
        Some(number) if !(0.0..=most).contains(&number) => {
            refuse(field, &format!("must be from 0 to {most}"))
        }
        number => Ok(number),
    }
}

fn stop(stop: Option<Stop>) -> Result<Vec<String>, Problem> {
    let texts = match stop {
        None => Vec::new(),
        Some(Stop::One(text)) => vec![text],
        Some(Stop::Several(texts)) => texts,
    };
    let is_good = texts.len() <= 4 && texts.iter().all(|text| !text.is_empty());
    match is_good {
        true => Ok(texts),
        false => refuse("stop", "must be at most 4 texts, none empty"),
    }
}

fn tools(tools: Vec<ToolBody>) -> Result<Vec<Tool>, Problem> {
    if tools.len() > MAX_TOOLS {
        return refuse("tools", &format!("must be at most {MAX_TOOLS}"));
    }
    let tools = tools.into_iter().enumerate().map(|(number, tool)| {
        let place = format!("tools[{number}]");
        let function = match tool.function {
            Some(function) if tool.kind == "function" => function,
            _ => return refuse(place, "must be a function"),
        };
        if !is_name(&function.name) {
            let field = format!("{place}.function.name");
            return refuse(field, "must be 1 to 64 letters, digits, `_` and `-`");
        }
        Ok(Tool {
            name: function.name,
            description: function.description.unwrap_or_default(),
            parameters: function.parameters.unwrap_or_else(no_parameters),
            strict: function.strict.unwrap_or_default(),
        })
    });
    tools.collect()
}

/// As OpenAI reads a function without any.
fn no_parameters() -> Value {
    let object = [
        ("type".to_owned(), Value::from("object")),
        ("properties".to_owned(), Map::new().into()),
    ];
    Value::Object(object.into_iter().collect())
}

fn tool_choice(choice: Option<ToolChoiceBody>) -> Result<ToolChoice, Problem> {
    Ok(match choice {
        None => ToolChoice::Auto,
        Some(ToolChoiceBody::Named { function }) => ToolChoice::Named(function.name),
        Some(ToolChoiceBody::Word(word)) => match word.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" => ToolChoice::Required,
            _ => return refuse("tool_choice", "must be auto, none, required or a function"),
        },
    })
}

/// Who has to call a tool must be given one.
fn check_choice(request: &ChatRequest) -> Result<(), Problem> {
    let is_given = |name: &String| request.tools.iter().any(|tool| tool.name == *name);
    match &request.tool_choice {
        ToolChoice::Required if request.tools.is_empty() => refuse("tool_choice", "needs `tools`"),
        ToolChoice::Named(name) if !is_given(name) => {
            refuse("tool_choice", "names none of the `tools`")
        }
        _ => Ok(()),
    }
}

fn output(format: Option<ResponseFormat>) -> Result<OutputFormat, Problem> {
    Ok(match format {
        None | Some(ResponseFormat::Text) => OutputFormat::Text,
        Some(ResponseFormat::JsonObject) => OutputFormat::JsonObject,
        Some(ResponseFormat::JsonSchema { json_schema }) => {
            if !is_name(&json_schema.name) {
                let field = "response_format.json_schema.name";
                return refuse(field, "must be 1 to 64 letters, digits, `_` and `-`");
            }
            let Some(schema @ Value::Object(_)) = json_schema.schema else {
                return refuse("response_format.json_schema.schema", "must be an object");
            };
            OutputFormat::JsonSchema {
                name: json_schema.name,
                schema,
                strict: json_schema.strict.unwrap_or_default(),
            }
        }
    })
}

fn is_name(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    (1..=64).contains(&text.len()) && text.chars().all(is_allowed)
}
