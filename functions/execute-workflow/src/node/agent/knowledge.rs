//! The tool by which an agent finds what was synced. What it finds is data, whatever it says; each
//! mail or file has a number, by which the model cites it.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    actions::KNOWLEDGE_SEARCH,
    ids::{AgentId, RecordId},
    llm::{Message, Tool},
    models::StepResult,
};

use super::{
    Call, Effect, Failure, Move, Outcome, Prepared, Repeat, Stop,
    model::ToolCall,
    opening::{self, Opening},
    tools,
};
use crate::{
    AppState,
    node::knowledge::{Citation, Found, Lookup},
};

/// The tool's name.
pub(super) const TOOL: &str = "knowledge_search";

/// The longest query, in characters.
const MAX_QUERY_CHARS: usize = 500;

/// Hits that a model is told at most, and unless it says how many.
const MAX_HITS: u32 = 8;
const DEFAULT_HITS: u32 = 5;

/// Of each, so many characters: all together fit into what is told of a result.
const MAX_HIT_CHARS: usize = 1_600;

/// A search on behalf of an agent, which needs its grant when it happens.
struct Granted {
    agent_id: AgentId,
    lookup: Lookup,
}

/// What the model was shown in this turn, each mail or file with a number from 1.
#[derive(Default)]
pub(super) struct Citations(Vec<Source>);

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    document_id: RecordId,
    #[serde(flatten)]
    citation: Citation,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    query: String,
    #[serde(default)]
    limit: Option<u32>,
}

/// Whether the agent may search in this turn.
pub(super) fn is_granted(opening: &Opening) -> bool {
    opening.tools.iter().any(|name| name == KNOWLEDGE_SEARCH)
}

/// The tool as a model is told it.
pub(super) fn tool() -> Tool {
    let query = json!({
        "type": "string", "minLength": 1, "maxLength": MAX_QUERY_CHARS,
        "description": "What to look for; what has the words in double quotes as they are comes first.",
    });
    let limit = json!({
        "type": "integer", "minimum": 1, "maximum": MAX_HITS,
        "description": "How many hits at most.",
    });
    Tool {
        name: TOOL.to_owned(),
        description: "Searches mails and files that the organization keeps, by meaning and by \
            words, names and numbers."
            .to_owned(),
        parameters: json!({
            "type": "object",
            "properties": { "query": query, "limit": limit },
            "required": ["query"],
            "additionalProperties": false,
        }),
        strict: false,
    }
}

/// What the model looks for, as a move.
pub(super) fn search(name: &str, agent_id: &AgentId, call: &ToolCall) -> Move {
    let granted = parse(&call.arguments).map(|arguments| Granted {
        agent_id: agent_id.clone(),
        lookup: Lookup {
            agent_id: Some(agent_id.clone()),
            query: arguments.query,
            limit: arguments.limit.unwrap_or(DEFAULT_HITS),
        },
    });
    Move {
        kind: KNOWLEDGE_SEARCH,
        title: format!("{name} uses {KNOWLEDGE_SEARCH}"),
        prepared: granted.map(|granted| Prepared::Effect(Box::new(granted))),
        repeat: Repeat::Harmless,
    }
}

fn parse(arguments: &str) -> Result<Arguments, Failure> {
    let refused = |message: String| Failure::permanent("invalid_argument", message);
    let arguments: Arguments = serde_json::from_str(arguments).map_err(|_| {
        refused("the arguments are not an object with `query` and `limit` alone".to_owned())
    })?;
    if !(1..=MAX_QUERY_CHARS).contains(&arguments.query.chars().count()) {
        let message = format!("`query`: expected 1 to {MAX_QUERY_CHARS} characters");
        return Err(refused(message));
    }
    if arguments
        .limit
        .is_some_and(|limit| !(1..=MAX_HITS).contains(&limit))
    {
        return Err(refused(format!("`limit`: expected 1 to {MAX_HITS}")));
    }
    Ok(arguments)
}

#[async_trait]
impl Effect for Granted {
    fn request_hash(&self) -> String {
        self.lookup.request_hash()
    }

    async fn perform(&self, state: &AppState, call: &Call) -> Result<Outcome, Stop> {
        let org_id = &call.execution.org_id;
        let agent = opening::find_at_work(state, org_id, &self.agent_id).await?;
        if !agent.tools.iter().any(|name| name == KNOWLEDGE_SEARCH) {
            let message = "the agent may not use this tool any more";
            return Err(Failure::permanent("permission_denied", message).into());
        }
        self.lookup.perform(state, call).await
    }
}

impl Citations {
    /// What the model is told of a search's end.
    pub(super) fn tell(&mut self, call: &ToolCall, result: &StepResult) -> Message {
        if result.error.is_some() {
            return tools::to_message(call, result);
        }
        let found = Found::deserialize(&result.output.0).unwrap_or_default();
        let hits = found.hits.into_iter().map(|hit| {
            let number = self.number(hit.document_id, &hit.citation);
            let text: String = hit.text.chars().take(MAX_HIT_CHARS).collect();
            let Citation {
                source,
                title,
                date,
                ..
            } = hit.citation;
            json!({
                "cite": format!("[{number}]"),
                "source": source,
                "title": title,
                "date": date,
                "text": text,
            })
        });
        let hits: Vec<Value> = hits.collect();
        tools::to_data(call, &json!({ "hits": hits }))
    }

    /// The sources that an answer cites, by number.
    pub(super) fn in_text(&self, text: &str) -> Vec<Value> {
        let numbered = self.0.iter().zip(1..);
        let cited = numbered.filter(|(_, number)| text.contains(&format!("[{number}]")));
        let told = cited.map(|(source, number)| {
            let mut told = json!(source);
            told["number"] = json!(number);
            told
        });
        told.collect()
    }

    /// Pieces of one mail or file have one number.
    fn number(&mut self, document_id: RecordId, citation: &Citation) -> usize {
        let mut known = self.0.iter();
        if let Some(place) = known.position(|source| source.document_id == document_id) {
            return place + 1;
        }
        self.0.push(Source {
            document_id,
            citation: citation.clone(),
        });
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_a_query_and_a_number() {
        let long = json!({ "query": "é".repeat(MAX_QUERY_CHARS) }).to_string();
        for arguments in [r#"{"query":"tea"}"#, r#"{"query":"tea","limit":8}"#, &long] {
            assert!(parse(arguments).is_ok(), "{arguments}");
        }
        let too_long = json!({ "query": "é".repeat(MAX_QUERY_CHARS + 1) }).to_string();
        for arguments in [
            "",
            "{}",
            r#"{"query":""}"#,
            r#"{"query":1}"#,
            r#"{"query":"tea","limit":0}"#,
            r#"{"query":"tea","limit":9}"#,
            r#"{"query":"tea","principals":["user:u2"]}"#,
            &too_long,
        ] {
            let refused = parse(arguments).err().unwrap();
            assert_eq!(refused.code, "invalid_argument", "{arguments}");
        }
    }
}
