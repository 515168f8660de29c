//! A question to the model that an agent thinks with.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use shared::{
    ids::{AgentId, fingerprint},
    llm::{ChatRequest, ChatResponse, FinishReason, Message, Part, Role},
    redaction::redact,
};

use super::{Call, Effect, Failure, Move, Outcome, Prepared, Repeat, Stop, llm, opening};
use crate::AppState;

/// A thought in the log ends after so many characters.
const MAX_THOUGHT_CHARS: usize = 2_000;

/// Asks the model.
pub(super) struct Question {
    agent_id: AgentId,
    request: ChatRequest,
    /// Whether the answer is a thought for the log.
    is_aloud: bool,
}

/// What the model has answered, as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) model: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) tool_calls: Vec<ToolCall>,
    /// Whether it ends where it had to, and not where it wanted to.
    #[serde(default)]
    pub(super) is_cut: bool,
    /// Whether the provider has kept the rest back.
    #[serde(default)]
    is_withheld: bool,
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
        let org_id = &call.execution.org_id;
        let agent = opening::find_at_work(state, org_id, &self.agent_id).await?;
        opening::beat(state, &agent).await;
        let request = self.request.clone();
        let answer = match self.is_aloud {
            true => Box::pin(llm::ask_aloud(state, call, &self.agent_id, request)).await?,
            false => llm::ask(state, call, Some(&self.agent_id), request).await?,
        };
        let used = answer.used();
        let answer = Answer::from(answer.response);
        let output = serde_json::to_value(&answer);
        let output = output.map_err(|error| Failure::permanent("internal", error.to_string()))?;
        Ok(Outcome {
            thoughts: self.thought(&answer).into_iter().collect(),
            tokens: used.tokens,
            cost_micro_usd: used.cost_micro_usd,
            ..Outcome::of(output)
        })
    }
}

impl Question {
    /// A question whose answer people may see in the log.
    pub(super) fn aloud(agent_id: &AgentId, request: ChatRequest) -> Self {
        Self {
            agent_id: agent_id.clone(),
            request,
            is_aloud: true,
        }
    }

    /// A question whose answer is for the agent alone.
    pub(super) fn quiet(agent_id: &AgentId, request: ChatRequest) -> Self {
        Self {
            is_aloud: false,
            ..Self::aloud(agent_id, request)
        }
    }

    pub(super) fn into_move(self, title: String) -> Move {
        Move {
            kind: "agent.question",
            title,
            prepared: Ok(Prepared::Effect(Box::new(self))),
            repeat: Repeat::AsTheNode,
        }
    }

    fn thought(&self, answer: &Answer) -> Option<String> {
        let is_told = self.is_aloud && !answer.text.is_empty();
        // Covered before it is cut, so that no secret loses what it is known by.
        is_told.then(|| {
            redact(&answer.text)
                .chars()
                .take(MAX_THOUGHT_CHARS)
                .collect()
        })
    }
}

impl Answer {
    /// The answer, if it is one.
    pub(super) fn checked(self) -> Result<Self, Failure> {
        let (code, message) = if self.is_withheld {
            (
                "failed_precondition",
                "the provider has kept the answer back",
            )
        } else if self.is_cut && (self.text.is_empty() || !self.tool_calls.is_empty()) {
            ("limit_exceeded", "the answer does not fit into `maxTokens`")
        } else if self.text.is_empty() && self.tool_calls.is_empty() {
            ("failed_precondition", "the model has said nothing")
        } else {
            return Ok(self);
        };
        Err(Failure::permanent(code, message))
    }

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
}

impl From<ChatResponse> for Answer {
    fn from(response: ChatResponse) -> Self {
        let calls = response.tool_calls.into_iter();
        Self {
            text: response.content,
            model: response.model,
            tool_calls: calls.map(ToolCall::from).collect(),
            is_cut: response.finish_reason == FinishReason::Length,
            is_withheld: response.finish_reason == FinishReason::ContentFilter,
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
