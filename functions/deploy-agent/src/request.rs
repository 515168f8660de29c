//! What a caller asks for: an agent, and what to change of it before it is deployed.

use garde::Validate;
use serde::Deserialize;
use serde_json::Value;
use shared::{
    actions,
    ids::AgentId,
    llm::speech::Voice,
    models::{Agent, MemoryDepth, Personality, VoiceConfig},
};

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Path of the field in the argument, such as `config.personality.empathy`.
    pub(crate) field: String,
    /// What is expected.
    pub(crate) message: String,
}

/// The argument of the call.
#[derive(Clone, Debug, PartialEq, Deserialize, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(crate) struct DeployRequest {
    /// The agent.
    pub(crate) agent_id: AgentId,
    /// What to change of it.
    #[garde(dive)]
    pub(crate) config: Option<DeployConfig>,
}

/// Fields of the agent's draft to change, and where it shall run. Absent ones stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(crate) struct DeployConfig {
    #[garde(length(chars, max = 20_000))]
    system_prompt: Option<String>,
    #[garde(length(chars, min = 1, max = 100))]
    model: Option<String>,
    memory_depth: Option<MemoryDepth>,
    #[garde(length(max = 50), inner(custom(actions::are_names)))]
    tools: Option<Vec<String>>,
    #[garde(dive)]
    personality: Option<Personality>,
    #[garde(dive)]
    voice_config: Option<VoiceConfig>,
    runtime: Option<Runtime>,
}

/// Where an agent may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Runtime {
    /// In the orchestration layer.
    Registered,
    /// In a Cloud Run service of its own.
    Container,
}

impl DeployRequest {
    /// Reads the argument of the call as a whole.
    pub(crate) fn parse(data: Value) -> Result<Self, Vec<Problem>> {
        require_objects(&data)?;
        let request: Self = serde_path_to_error::deserialize(data).map_err(|error| {
            let path = error.path().to_string();
            let field = if path == "." { "data".to_owned() } else { path };
            vec![Problem {
                field,
                message: error.into_inner().to_string(),
            }]
        })?;
        request.validate().map_err(|report| {
            let problem = |(path, error): &(garde::Path, garde::Error)| Problem {
                field: to_camel_case(&path.to_string()),
                message: error.message().to_owned(),
            };
            report.iter().map(problem).collect::<Vec<_>>()
        })?;
        let voice = request.config.as_ref();
        require_voice(voice.and_then(|config| config.voice_config.as_ref()))?;
        Ok(request)
    }

    /// Where the agent shall run, if that is asked for.
    pub(crate) fn runtime(&self) -> Option<Runtime> {
        self.config.as_ref()?.runtime
    }
}

impl DeployConfig {
    /// Changes the draft.
    pub(crate) fn apply_to(&self, agent: &mut Agent) {
        set(&mut agent.system_prompt, self.system_prompt.as_ref());
        set(&mut agent.model, self.model.as_ref());
        set(&mut agent.memory_depth, self.memory_depth.as_ref());
        set(&mut agent.tools, self.tools.as_ref());
        set(&mut agent.personality, self.personality.as_ref());
        set(&mut agent.voice_config, self.voice_config.as_ref());
    }
}

/// A derived `Deserialize` would also take an array of the fields' values in order.
fn require_objects(data: &Value) -> Result<(), Vec<Problem>> {
    let config = &data["config"];
    let values = [
        ("data", Some(data)),
        ("config", data.get("config")),
        ("config.personality", config.get("personality")),
        ("config.voiceConfig", config.get("voiceConfig")),
    ];
    let is_wrong = |field: &str, value: &Value| {
        let is_absent = field != "data" && value.is_null();
        !is_absent && !value.is_object()
    };
    let mut values = values.into_iter();
    let wrong = values.find(|(field, value)| value.is_some_and(|value| is_wrong(field, value)));
    wrong.map_or(Ok(()), |(field, _)| {
        Err(vec![Problem {
            field: field.to_owned(),
            message: "must be an object".to_owned(),
        }])
    })
}

fn require_voice(config: Option<&VoiceConfig>) -> Result<(), Vec<Problem>> {
    let unspeakable = config.and_then(|config| Voice::of(config).err());
    unspeakable.map_or(Ok(()), |error| {
        Err(vec![Problem {
            field: format!("config.{}", error.field()),
            message: error.to_string(),
        }])
    })
}

fn set<T: Clone>(field: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        field.clone_from(value);
    }
}

/// `garde` knows fields by their name in Rust.
fn to_camel_case(path: &str) -> String {
    let mut words = path.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (initial, rest) = word.split_at(word.len().min(1));
        name + &initial.to_ascii_uppercase() + rest
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wrong_field(data: Value) -> String {
        let problems = DeployRequest::parse(data).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems[0].field.clone()
    }

    #[test]
    fn a_configuration_is_optional() {
        for data in [
            json!({ "agentId": "a1" }),
            json!({ "agentId": "a1", "config": null }),
        ] {
            assert_eq!(DeployRequest::parse(data).unwrap().config, None);
        }
    }

    #[test]
    fn the_wrong_field_is_named() {
        let with = |config: Value| json!({ "agentId": "a1", "config": config });
        let style = "x".repeat(501);
        let table = [
            (json!(null), "data"),
            (json!([]), "data"),
            (json!({}), "data"),
            (json!({ "agentId": "a/b" }), "agentId"),
            (json!({ "agentId": 1 }), "agentId"),
            (json!({ "agentId": "a1", "extra": 1 }), "extra"),
            (json!(["a1", null]), "data"),
            (json!(["a1", {}]), "data"),
            (with(json!("x")), "config"),
            (with(json!(["You sell."])), "config"),
            (
                with(json!({ "personality": [1, 0, "warm"] })),
                "config.personality",
            ),
            (
                with(json!({ "voiceConfig": ["alloy", 1, 0] })),
                "config.voiceConfig",
            ),
            (with(json!({ "orgId": "o2" })), "config.orgId"),
            (with(json!({ "status": "active" })), "config.status"),
            (with(json!({ "model": "" })), "config.model"),
            (
                with(json!({ "systemPrompt": "x".repeat(20_001) })),
                "config.systemPrompt",
            ),
            (
                with(json!({ "memoryDepth": "for_ever" })),
                "config.memoryDepth",
            ),
            (with(json!({ "tools": "http" })), "config.tools"),
            (with(json!({ "tools": ["http"] })), "config.tools"),
            (
                with(json!({ "tools": vec!["google.gmail.search"; 2] })),
                "config.tools",
            ),
            (
                with(json!({ "personality": { "empathy": 2, "confidence": 0, "style": "" } })),
                "config.personality.empathy",
            ),
            (
                with(json!({ "personality": { "empathy": 0, "confidence": 0, "style": style } })),
                "config.personality.style",
            ),
            (
                with(json!({ "voiceConfig": { "model": "ada", "speed": 9, "pitch": 0 } })),
                "config.voiceConfig.speed",
            ),
            (with(json!({ "runtime": "vm" })), "config.runtime"),
        ];
        for (data, field) in table {
            assert_eq!(wrong_field(data), field);
        }
    }

    #[test]
    fn a_voice_has_to_be_known_and_to_take_what_is_asked_of_it() {
        for (model, pitch, field) in [
            ("ada", 0, "config.voiceConfig.model"),
            ("alloy", 2, "config.voiceConfig.pitch"),
        ] {
            let voice = json!({ "model": model, "speed": 1, "pitch": pitch });
            let config = json!({ "voiceConfig": voice });
            let data = json!({ "agentId": "a1", "config": config });
            assert_eq!(wrong_field(data), field);
        }
    }
}
