use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Invalid, NodeKind, Problem,
    fields::Fields,
    http_request::{parse_header_name, parse_url},
};
use crate::inputs::{Condition, Template};

const MAX_WAIT_SECS: f64 = 30.0 * 24.0 * 60.0 * 60.0;
const MAX_TOKENS: u32 = 1_000_000;

/// The settings of a node, by its kind.
#[derive(Clone, Debug)]
pub enum NodeData {
    /// Begins every run.
    Trigger(TriggerData),
    /// Asks an agent.
    Agent(AgentData),
    /// Asks a model.
    Llm(LlmData),
    /// Calls a URL.
    Http(HttpData),
    /// Chooses a branch.
    Condition(ConditionData),
    /// Computes a value.
    Transform(TransformData),
    /// Lets time pass.
    Wait(WaitData),
    /// Sets the run's output.
    Output(OutputData),
}

/// Settings of a trigger.
#[derive(Clone, Debug)]
pub struct TriggerData {
    /// Fields that the payload must have; it may have more.
    pub fields: BTreeMap<String, FieldType>,
}

/// The type of a payload's field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// Text.
    String,
    /// An integer or a float.
    Number,
    /// True or false.
    Boolean,
    /// A JSON object.
    Object,
    /// A JSON array.
    Array,
    /// Anything, `null` included.
    Any,
}

/// Settings of an agent.
#[derive(Clone, Debug)]
pub struct AgentData {
    /// The agent; expressions are allowed, so that a payload can choose it.
    pub agent_id: Template,
    /// What it is asked.
    pub prompt: Template,
    /// Limit of the answer.
    pub max_tokens: Option<u32>,
}

/// Settings of a model call.
#[derive(Clone, Debug)]
pub struct LlmData {
    /// The model; without it, the default route's.
    pub model: Option<String>,
    /// The system prompt.
    pub system: Option<Template>,
    /// What the model is asked.
    pub prompt: Template,
    /// 0 to 2.
    pub temperature: Option<f64>,
    /// Limit of the answer.
    pub max_tokens: Option<u32>,
    /// Whether the answer is parsed as JSON.
    pub json: bool,
}

/// Settings of an HTTP call.
#[derive(Clone, Debug)]
pub struct HttpData {
    /// The method.
    pub method: HttpMethod,
    /// The URL.
    pub url: Template,
    /// Header values by name.
    pub headers: BTreeMap<String, Template>,
    /// Query values by name, added to the URL's.
    pub query: BTreeMap<String, Template>,
    /// The body: a string as it is, anything else as JSON.
    pub body: Option<Template>,
}

/// <https://www.rfc-editor.org/rfc/rfc9110#name-methods>, those of use here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// Reads.
    Get,
    /// Acts or creates.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Deletes.
    Delete,
    /// Reads the headers.
    Head,
}

/// Settings of a condition.
#[derive(Clone, Debug)]
pub struct ConditionData {
    /// Chooses between the handles `true` and `false`.
    pub expression: Condition,
}

/// Settings of a transformation.
#[derive(Clone, Debug)]
pub struct TransformData {
    /// The node's output.
    pub value: Template,
}

/// Settings of a wait.
#[derive(Clone, Debug)]
pub struct WaitData {
    /// Seconds, or text with an expression for them; see [`WaitData::duration`].
    pub seconds: Template,
}

/// Settings of an output.
#[derive(Clone, Debug)]
pub struct OutputData {
    /// The run's output; without it, the output of the node before, or of those before by id.
    pub value: Option<Template>,
}

impl NodeData {
    /// Reads the settings of a kind; `None` when one that is needed is missing or wrong.
    pub(super) fn read(kind: NodeKind, fields: &mut Fields<'_>) -> Option<Self> {
        match kind {
            NodeKind::Trigger => {
                let fields = fields.optional("fields").unwrap_or_default();
                Some(Self::Trigger(TriggerData { fields }))
            }
            NodeKind::Agent => AgentData::read(fields).map(Self::Agent),
            NodeKind::Llm => LlmData::read(fields).map(Self::Llm),
            NodeKind::Http => HttpData::read(fields).map(Self::Http),
            NodeKind::Condition => {
                let expression = fields.condition("expression")?;
                Some(Self::Condition(ConditionData { expression }))
            }
            NodeKind::Transform => {
                let value = fields.template("value")?;
                Some(Self::Transform(TransformData { value }))
            }
            NodeKind::Wait => WaitData::read(fields).map(Self::Wait),
            NodeKind::Output => {
                let value = fields.optional_template("value");
                Some(Self::Output(OutputData { value }))
            }
        }
    }

    /// The kind these settings are for.
    pub fn kind(&self) -> NodeKind {
        match self {
            Self::Trigger(_) => NodeKind::Trigger,
            Self::Agent(_) => NodeKind::Agent,
            Self::Llm(_) => NodeKind::Llm,
            Self::Http(_) => NodeKind::Http,
            Self::Condition(_) => NodeKind::Condition,
            Self::Transform(_) => NodeKind::Transform,
            Self::Wait(_) => NodeKind::Wait,
            Self::Output(_) => NodeKind::Output,
        }
    }
}

impl TriggerData {
    /// Checks a payload against the fields.
    pub(super) fn check_payload(&self, node_id: &str, payload: &Value) -> Result<(), Invalid> {
        let problem = |name: &String, message: String| {
            Problem::of_node(node_id, format!("payload.{name}"), message)
        };
        let check = |(name, kind): (&String, &FieldType)| match payload.get(name) {
            None => Some(problem(name, "missing field".to_owned())),
            Some(value) if kind.fits(value) => None,
            Some(_) => Some(problem(name, format!("must be of type {}", kind.as_str()))),
        };
        let mut problems = self.fields.iter().filter_map(check).collect();
        Invalid::unless_empty(&mut problems)
    }
}

impl FieldType {
    fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Object => "object",
            Self::Array => "array",
            Self::Any => "any",
        }
    }

    fn fits(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Object => value.is_object(),
            Self::Array => value.is_array(),
            Self::Any => true,
        }
    }
}

impl HttpMethod {
    /// The method on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Head => "HEAD",
        }
    }
}

impl WaitData {
    /// The time that a rendered `seconds` stands for: a number, or text of one, up to 30 days.
    pub fn duration(seconds: &Value) -> Option<Duration> {
        let seconds = match seconds {
            Value::String(text) => text.trim().parse().ok()?,
            other => other.as_f64()?,
        };
        if !(0.0..=MAX_WAIT_SECS).contains(&seconds) {
            return None;
        }
        Duration::try_from_secs_f64(seconds).ok()
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let seconds = fields.template("seconds")?;
        if seconds
            .literal()
            .is_some_and(|value| Self::duration(value).is_none())
        {
            fields.refuse(
                "seconds",
                "must be a number of seconds, at most 2592000 (30 days)",
            );
            return None;
        }
        Some(Self { seconds })
    }
}

impl AgentData {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let agent_id = fields.text("agentId");
        let prompt = fields.text("prompt");
        let max_tokens = fields.within("maxTokens", 1..=MAX_TOKENS);
        Some(Self {
            agent_id: agent_id?,
            prompt: prompt?,
            max_tokens,
        })
    }
}

impl LlmData {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let model: Option<String> = fields.optional("model");
        if model.as_ref().is_some_and(String::is_empty) {
            fields.refuse("model", "must not be empty");
        }
        let system = fields.optional_text("system");
        let prompt = fields.text("prompt");
        let temperature = fields.within("temperature", 0.0..=2.0);
        let max_tokens = fields.within("maxTokens", 1..=MAX_TOKENS);
        let json = fields.optional("json").unwrap_or_default();
        Some(Self {
            model,
            system,
            prompt: prompt?,
            temperature,
            max_tokens,
            json,
        })
    }
}

impl HttpData {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let method = fields.required("method");
        let url = fields.text("url");
        let literal = url
            .as_ref()
            .and_then(Template::literal)
            .and_then(Value::as_str);
        if let Some(Err(problem)) = literal.filter(|url| !url.is_empty()).map(parse_url) {
            fields.refuse("url", format!("the URL {problem}"));
        }
        let headers = fields.templates("headers");
        for name in headers.keys() {
            if let Err(problem) = parse_header_name(name) {
                fields.refuse(&format!("headers.{name}"), format!("the header {problem}"));
            }
        }
        let query = fields.templates("query");
        let body = fields
            .optional_template("body")
            .filter(|body| body.literal() != Some(&Value::Null));
        Some(Self {
            method: method?,
            url: url?,
            headers,
            query,
            body,
        })
    }
}
