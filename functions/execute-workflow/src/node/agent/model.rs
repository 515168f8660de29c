//! A question to the model that an agent thinks with.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use shared::{
    ids::{AgentId, fingerprint},
    llm::{ChatRequest, ChatResponse, Message, Part, Role},
};

use super::{Call, Effect, Failure, Outcome, Stop, llm};
use crate::{AppState, redaction::redact};

/// A thought in the log ends after so many characters.
const MAX_THOUGHT_CHARS: usize = 2_000;

/// Asks the model.
pub(super) struct Question {
    pub(super) agent_id: AgentId,
    pub(super) request: ChatRequest,
}

/// What the model has answered, as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) model: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) tool_calls: Vec<ToolCall>,
}

/// What the model wants done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ToolCall {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) signature: Option<String>,
}

#[async_trait]
impl Effect for Question {
    fn request_hash(&self) -> String {
        let mut parts = vec!["agent.question", &*self.request.model];
        let texts: Vec<_> = self.request.messages.iter().map(Message::text).collect();
        parts.extend(texts.iter().map(String::as_str));
        fingerprint(&parts)
    }

    async fn perform(&self, state: &AppState, call: &Call) -> Result<Outcome, Stop> {
        let request = self.request.clone();
        let answer = llm::ask(state, call, Some(&self.agent_id), request).await?;
        let cost_micro_usd = answer.cost_micro_usd;
        let tokens = answer.response.usage.total();
        let answer = Answer::from(answer.response);
        let output = serde_json::to_value(&answer);
        let output = output.map_err(|error| Failure::permanent("internal", error.to_string()))?;
        Ok(Outcome {
            thoughts: answer.thought().into_iter().collect(),
            tokens,
            cost_micro_usd,
            ..Outcome::of(output)
        })
    }
}

impl Answer {
    /// The answer as a part of the conversation.
    pub(super) fn to_message(&self) -> Message {
        let text = Some(self.text.clone()).filter(|text| !text.is_empty());
        let calls = self
            .tool_calls
            .iter()
            .map(|call| Part::ToolCall(call.into()));
        Message {
            role: Role::Assistant,
            parts: text.map(Part::Text).into_iter().chain(calls).collect(),
        }
    }

    fn thought(&self) -> Option<String> {
        let thought: String = self.text.chars().take(MAX_THOUGHT_CHARS).collect();
        (!thought.is_empty()).then(|| redact(&thought))
    }
}

impl From<ChatResponse> for Answer {
    fn from(response: ChatResponse) -> Self {
        let calls = response.tool_calls.into_iter();
        Self {
            text: response.content,
            model: response.model,
            tool_calls: calls.map(ToolCall::from).collect(),
        }
    }
}

impl From<shared::llm::ToolCall> for ToolCall {
    fn from(call: shared::llm::ToolCall) -> Self {
        Self {
            id: call.id,
            name: call.name,
            arguments: call.arguments,
            signature: call.signature,
        }
    }
}

impl From<&ToolCall> for shared::llm::ToolCall {
    fn from(call: &ToolCall) -> Self {
        Self {
            id: call.id.clone(),
            name: call.name.clone(),
            arguments: call.arguments.clone(),
            signature: call.signature.clone(),
        }
    }
}
