//! What an agent may do: the actions of the catalogue that it was granted. The model only asks;
//! what it asks for is held to the grants, to the action's fields, and to people's approval.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use shared::{
    actions::{self, Action, Effect, KNOWLEDGE_SEARCH},
    ids::AgentId,
    llm::{Message, Tool},
    models::{Agent, StepResult},
};

use super::{
    Failure, Move, Prepared, Repeat, authority::Authorized, knowledge, memory, model::ToolCall,
    opening::Opening,
};
use crate::node::action;

/// Of a result, the model is told so many characters.
const MAX_RESULT_CHARS: usize = 16_000;

/// So many of an answer's calls are looked at; the model is told of the rest.
pub(super) const MAX_CALLS: usize = 16;

/// The actions that the agent was granted, by name, and that there are, each once.
pub(super) fn granted(agent: &Agent) -> Vec<String> {
    let names: BTreeSet<_> = agent.tools.iter().collect();
    let known = names
        .into_iter()
        .filter(|name| *name == KNOWLEDGE_SEARCH || actions::find(name).is_some());
    known.cloned().collect()
}

/// What a turn may use, as a model is told it.
pub(super) fn offered(opening: &Opening) -> Vec<Tool> {
    let granted = opening.tools.iter().filter_map(|name| actions::find(name));
    let granted = granted.map(|action| Tool {
        name: tool_name(action),
        description: action.description.to_owned(),
        parameters: action.input_schema(),
        strict: false,
    });
    let knowledge = knowledge::is_granted(opening).then(knowledge::tool);
    let memory = opening.remembers.then(memory::tool);
    granted.chain(knowledge).chain(memory).collect()
}

/// Whether the model wants to find what was synced, and may.
pub(super) fn is_search(opening: &Opening, call: &ToolCall) -> bool {
    call.name == knowledge::TOOL && knowledge::is_granted(opening)
}

/// What the model wants done, as a move. What it may not do is a move that fails at once, so that
/// the journal tells that it was asked for.
pub(super) fn to_move(opening: &Opening, agent_id: &AgentId, call: &ToolCall) -> Move {
    if opening.remembers && call.name == memory::SAVE {
        return memory::save(opening, agent_id, call);
    }
    if is_search(opening, call) {
        return knowledge::search(&opening.name, agent_id, call);
    }
    let Some(action) = find(&opening.tools, &call.name) else {
        let message = "the agent has no such tool";
        return Move {
            kind: "agent.tool",
            title: format!("{} asks for a tool", opening.name),
            prepared: Err(Failure::permanent("permission_denied", message)),
            repeat: Repeat::Harmless,
        };
    };
    Move {
        kind: action.name,
        title: format!("{} uses {}", opening.name, action.name),
        prepared: to_input(action, &call.arguments).map(|input| prepare(action, input, agent_id)),
        repeat: match action.effect {
            Effect::Once => Repeat::Never,
            Effect::Read | Effect::Keyed | Effect::Searched => Repeat::AsTheNode,
        },
    }
}

/// What the model is told of a call's end. It is data from outside, whatever it says.
pub(super) fn to_message(call: &ToolCall, result: &StepResult) -> Message {
    match &result.error {
        Some(error) => {
            let told = json!({ "error": { "code": error.code, "message": error.message } });
            tell(call, &told)
        }
        None => to_data(call, &result.output.0),
    }
}

/// What came of a call, as data.
pub(super) fn to_data(call: &ToolCall, data: &Value) -> Message {
    tell(call, &json!({ "data": data }))
}

fn tell(call: &ToolCall, told: &Value) -> Message {
    let mut told = told.to_string();
    if let Some((end, _)) = told.char_indices().nth(MAX_RESULT_CHARS) {
        told.truncate(end);
        told.push_str("… the rest is left out");
    }
    Message::tool_result(&call.into(), told)
}

/// What the model is told of a call that nobody has looked at.
pub(super) fn too_many(call: &ToolCall) -> Message {
    let message = format!("more than {MAX_CALLS} calls at once: it was not made");
    let told = json!({ "error": { "code": "resource_exhausted", "message": message } });
    Message::tool_result(&call.into(), told.to_string())
}

/// The action, if the call did more than read, or may have.
pub(super) fn acted(
    opening: &Opening,
    call: &ToolCall,
    result: &StepResult,
) -> Option<&'static str> {
    let action = find(&opening.tools, &call.name)?;
    let has_acted = result
        .error
        .as_ref()
        .is_none_or(|error| error.code == "unknown");
    (has_acted && action.effect != Effect::Read).then_some(action.name)
}

fn find(granted: &[String], tool: &str) -> Option<&'static Action> {
    let mut granted = granted.iter().filter_map(|name| actions::find(name));
    granted.find(|action| tool_name(action) == tool)
}

/// Models take letters, digits, `_` and `-` only.
fn tool_name(action: &Action) -> String {
    action.name.replace('.', "_")
}

fn to_input(action: &Action, arguments: &str) -> Result<Value, Failure> {
    let refused = |message: String| Failure::permanent("invalid_argument", message);
    let fields: Map<String, Value> = serde_json::from_str(arguments)
        .map_err(|_| refused("the arguments are not an object in JSON".to_owned()))?;
    let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
    let input = Value::Object(fields.collect());
    let checked = action.check(&input);
    checked.map_err(|invalid| refused(invalid.to_string()))?;
    Ok(input)
}

fn prepare(action: &'static Action, input: Value, agent_id: &AgentId) -> Prepared {
    let authorized = |effect| {
        Box::new(Authorized {
            agent_id: agent_id.clone(),
            action,
            effect,
        })
    };
    match action::prepare_for_agent(action, input) {
        Prepared::Effect(effect) => Prepared::Effect(authorized(effect)),
        Prepared::AskFirst { question, effect } => Prepared::AskFirst {
            question: authorized(question),
            effect: authorized(effect),
        },
        prepared => prepared,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn tools_have_names_that_models_take_and_that_are_distinct() {
        let names: HashSet<_> = actions::all().map(tool_name).collect();
        assert_eq!(names.len(), actions::all().count());
        assert!(!names.contains(memory::SAVE) && !names.contains(knowledge::TOOL));
        for name in names {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
            assert!(name.len() <= 64 && name.bytes().all(is_plain), "{name}");
        }
    }

    #[test]
    fn what_was_not_granted_is_not_found() {
        let granted = ["google.gmail.search".to_owned()];
        assert!(find(&granted, "google_gmail_search").is_some());
        assert!(find(&granted, "google_gmail_send").is_none());
        assert!(find(&granted, "google.gmail.search").is_none());
        assert!(find(&[], "google_gmail_search").is_none());
    }

    #[test]
    fn arguments_with_a_mistake_are_refused() {
        let send = actions::find("google.gmail.send").unwrap();
        for arguments in [
            "",
            "null",
            "[]",
            r#"{"to":["a@example.com"],"subject":"s","text":"t""#,
            r#"{"to":"a@example.com","subject":"s","text":"t"}"#,
            r#"{"to":["a@example.com"],"subject":"s"}"#,
            r#"{"to":["a@example.com"],"subject":"s","text":"t","approved":true}"#,
        ] {
            let refused = to_input(send, arguments).unwrap_err();
            assert_eq!(refused.code, "invalid_argument", "{arguments}");
        }
        let good = r#"{"to":["a@example.com"],"subject":"s","text":"t","cc":null}"#;
        assert!(to_input(send, good).unwrap().get("cc").is_none());
    }
}
