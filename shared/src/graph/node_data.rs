mod agent;
mod approval;
mod condition;
mod form;
mod llm;
mod loop_;
mod merge;
mod output;
mod switch;
mod transform;
mod trigger;
mod wait;
mod workflow;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use agent::AgentData;
pub use approval::{ApprovalData, ApproverRole};
pub use condition::ConditionData;
pub use form::FieldType;
pub use llm::LlmData;
pub use loop_::{ItemError, LoopData};
pub use merge::{MergeData, MergeMode};
pub use output::OutputData;
pub use switch::{SwitchCase, SwitchData};
pub use transform::TransformData;
pub use trigger::TriggerData;
pub use wait::WaitData;
pub use workflow::WorkflowData;

use super::{
    NodeKind,
    fields::Fields,
    handle,
    http_request::{parse_header_name, parse_url},
};
use crate::inputs::Template;

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

impl NodeData {
    /// Reads the settings of a kind; `None` when one that is needed is missing or wrong.
    pub(super) fn read(kind: NodeKind, fields: &mut Fields<'_>) -> Option<Self> {
        match kind {
            NodeKind::Trigger => Some(Self::Trigger(TriggerData::read(fields))),
            NodeKind::Agent => AgentData::read(fields).map(Self::Agent),
            NodeKind::Llm => LlmData::read(fields).map(Self::Llm),
            NodeKind::Http => HttpData::read(fields).map(Self::Http),
            NodeKind::Condition => ConditionData::read(fields).map(Self::Condition),
            NodeKind::Switch => SwitchData::read(fields).map(Self::Switch),
            NodeKind::Loop => LoopData::read(fields).map(Self::Loop),
            NodeKind::Merge => Some(Self::Merge(MergeData::read(fields))),
            NodeKind::Transform => TransformData::read(fields).map(Self::Transform),
            NodeKind::Wait => WaitData::read(fields).map(Self::Wait),
            NodeKind::Approval => ApprovalData::read(fields).map(Self::Approval),
            NodeKind::Workflow => WorkflowData::read(fields).map(Self::Workflow),
            NodeKind::Output => Some(Self::Output(OutputData::read(fields))),
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
            Self::Switch(_) => NodeKind::Switch,
            Self::Loop(_) => NodeKind::Loop,
            Self::Merge(_) => NodeKind::Merge,
            Self::Transform(_) => NodeKind::Transform,
            Self::Wait(_) => NodeKind::Wait,
            Self::Approval(_) => NodeKind::Approval,
            Self::Workflow(_) => NodeKind::Workflow,
            Self::Output(_) => NodeKind::Output,
        }
    }

    /// The source handles of a node that succeeds.
    pub fn handles(&self) -> Vec<&str> {
        match self {
            Self::Switch(switch) => {
                let cases = switch.cases.iter().map(|case| case.handle.as_str());
                cases.chain([handle::DEFAULT]).collect()
            }
            Self::Approval(approval) if approval.expires_after_secs.is_none() => {
                vec![handle::APPROVED, handle::REJECTED]
            }
            _ => self.kind().handles().to_vec(),
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
