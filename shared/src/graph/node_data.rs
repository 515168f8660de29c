mod action;
mod agent;
mod approval;
mod approvers;
mod condition;
mod form;
mod http;
mod knowledge;
mod llm;
mod loop_;
mod merge;
mod output;
mod switch;
mod transform;
mod trigger;
mod wait;
mod workflow;

pub use action::ActionData;
pub use agent::AgentData;
pub use approval::ApprovalData;
pub use approvers::{ApproverRole, Approvers};
pub use condition::ConditionData;
pub use form::FieldType;
pub use http::{
    HttpAuth, HttpBody, HttpData, HttpMethod, NextPage, Pagination, ResponseExpression,
    ResponseFormat,
};
pub use knowledge::KnowledgeData;
pub use llm::LlmData;
pub use loop_::{ItemError, LoopData};
pub use merge::{MergeData, MergeMode};
pub use output::OutputData;
pub use switch::{SwitchCase, SwitchData};
pub use transform::TransformData;
pub use trigger::TriggerData;
pub use wait::WaitData;
pub use workflow::WorkflowData;

use super::{NodeKind, fields::Fields, handle, schema::Settings};

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
    Http(Box<HttpData>),
    /// Searches what was synced.
    Knowledge(KnowledgeData),
    /// Chooses one of two branches.
    Condition(ConditionData),
    /// Chooses one of several branches.
    Switch(SwitchData),
    /// Runs its body for each item of a list.
    Loop(LoopData),
    /// Brings branches together.
    Merge(MergeData),
    /// Computes a value.
    Transform(TransformData),
    /// Lets time pass.
    Wait(WaitData),
    /// Asks people.
    Approval(ApprovalData),
    /// Runs another workflow.
    Workflow(WorkflowData),
    /// Sets the run's output.
    Output(OutputData),
    /// Has a connected service do something.
    Action(ActionData),
}

impl NodeData {
    /// Reads the settings of a kind; `None` when one that is needed is missing or wrong.
    pub(super) fn read(kind: NodeKind, fields: &mut Fields<'_>) -> Option<Self> {
        match kind {
            NodeKind::Trigger => Some(Self::Trigger(TriggerData::read(fields))),
            NodeKind::Agent => AgentData::read(fields).map(Self::Agent),
            NodeKind::Llm => LlmData::read(fields).map(Self::Llm),
            NodeKind::Http => HttpData::read(fields).map(|data| Self::Http(Box::new(data))),
            NodeKind::Knowledge => KnowledgeData::read(fields).map(Self::Knowledge),
            NodeKind::Condition => ConditionData::read(fields).map(Self::Condition),
            NodeKind::Switch => SwitchData::read(fields).map(Self::Switch),
            NodeKind::Loop => LoopData::read(fields).map(Self::Loop),
            NodeKind::Merge => Some(Self::Merge(MergeData::read(fields))),
            NodeKind::Transform => TransformData::read(fields).map(Self::Transform),
            NodeKind::Wait => WaitData::read(fields).map(Self::Wait),
            NodeKind::Approval => ApprovalData::read(fields).map(Self::Approval),
            NodeKind::Workflow => WorkflowData::read(fields).map(Self::Workflow),
            NodeKind::Output => Some(Self::Output(OutputData::read(fields))),
            NodeKind::Action(action) => Some(Self::Action(ActionData::read(action, fields))),
        }
    }

    /// The schema of what [`NodeData::read`] reads.
    pub(super) fn schema(kind: NodeKind) -> Settings {
        match kind {
            NodeKind::Trigger => TriggerData::schema(),
            NodeKind::Agent => AgentData::schema(),
            NodeKind::Llm => LlmData::schema(),
            NodeKind::Http => HttpData::schema(),
            NodeKind::Knowledge => KnowledgeData::schema(),
            NodeKind::Condition => ConditionData::schema(),
            NodeKind::Switch => SwitchData::schema(),
            NodeKind::Loop => LoopData::schema(),
            NodeKind::Merge => MergeData::schema(),
            NodeKind::Transform => TransformData::schema(),
            NodeKind::Wait => WaitData::schema(),
            NodeKind::Approval => ApprovalData::schema(),
            NodeKind::Workflow => WorkflowData::schema(),
            NodeKind::Output => OutputData::schema(),
            NodeKind::Action(action) => ActionData::schema(action),
        }
    }

    /// The kind these settings are for.
    pub fn kind(&self) -> NodeKind {
        match self {
            Self::Trigger(_) => NodeKind::Trigger,
            Self::Agent(_) => NodeKind::Agent,
            Self::Llm(_) => NodeKind::Llm,
            Self::Http(_) => NodeKind::Http,
            Self::Knowledge(_) => NodeKind::Knowledge,
            Self::Condition(_) => NodeKind::Condition,
            Self::Switch(_) => NodeKind::Switch,
            Self::Loop(_) => NodeKind::Loop,
            Self::Merge(_) => NodeKind::Merge,
            Self::Transform(_) => NodeKind::Transform,
            Self::Wait(_) => NodeKind::Wait,
            Self::Approval(_) => NodeKind::Approval,
            Self::Workflow(_) => NodeKind::Workflow,
            Self::Output(_) => NodeKind::Output,
            Self::Action(data) => NodeKind::Action(data.action),
        }
    }

    /// The source handles of a node that succeeds.
    pub fn handles(&self) -> Vec<&str> {
        match self {
            Self::Switch(switch) => {
                let cases = switch.cases.iter().map(|case| case.handle.as_str());
                cases.chain([handle::DEFAULT]).collect()
            }
            Self::Approval(approval) if approval.approvers.expires_after_secs.is_none() => {
                vec![handle::APPROVED, handle::REJECTED]
            }
            _ => self.kind().handles().to_vec(),
        }
    }
}
