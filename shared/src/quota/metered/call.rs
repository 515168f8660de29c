use crate::{
    ids::{AgentId, ExecutionId, OrgId, RecordId, Uid, WorkflowId},
    llm::{ChatRequest, ChatResponse, EmbeddingResponse, Usage},
    models::{Timestamp, UsageEntry, Use},
    quota::budget,
};

/// A call of a model and who it is for.
#[derive(Clone, Debug)]
pub struct Call<R = ChatRequest> {
    /// The organization that pays.
    pub org_id: OrgId,
    /// The agent that thinks, if any.
    pub agent_id: Option<AgentId>,
    /// The workflow that runs, if any.
    pub workflow_id: Option<WorkflowId>,
    /// The execution that runs, if any.
    pub execution_id: Option<ExecutionId>,
    /// The member who causes it, if one does.
    pub uid: Option<Uid>,
    /// What to ask.
    pub request: R,
}

/// What a model answered.
#[derive(Clone, Debug)]
pub struct Answer<T = ChatResponse> {
    /// The answer.
    pub response: T,
    /// What it cost, in micro-dollars.
    pub cost_micro_usd: i64,
    /// Whether it was given before and kept: it is free then.
    pub is_cached: bool,
}

impl<R> Call<R> {
    /// What is reserved for the call, whose cost is not told yet.
    pub(super) fn entry(&self, model: &str, key: &str, most: &Usage, now: Timestamp) -> UsageEntry {
        UsageEntry {
            agent_id: self.agent_id.clone(),
            workflow_id: self.workflow_id.clone(),
            execution_id: self.execution_id.clone(),
            uid: self.uid.clone(),
            model: model.to_owned(),
            input_tokens: most.input_tokens,
            output_tokens: most.output_tokens,
            ..budget::entry(entry_id(&self.org_id, key), self.org_id.clone(), now)
        }
    }
}

impl Answer {
    /// What the call has used.
    #[must_use]
    pub fn used(&self) -> Use {
        if self.is_cached {
            return Use::default();
        }
        Use {
            tokens: self.response.usage.total(),
            cost_micro_usd: self.cost_micro_usd,
        }
    }
}

impl Answer<EmbeddingResponse> {
    /// What the call has used.
    #[must_use]
    pub fn used(&self) -> Use {
        Use {
            tokens: self.response.usage.total(),
            cost_micro_usd: self.cost_micro_usd,
        }
    }
}

pub(super) fn entry_id(org_id: &OrgId, key: &str) -> RecordId {
    RecordId::derive(&["usage", org_id.as_str(), key])
}
