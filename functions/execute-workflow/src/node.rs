//! The kinds of nodes, one file each: resolve the input, then call the service.

mod agent;
mod condition;
mod http;
mod llm;
mod output;
mod transform;
mod wait;

use std::time::Duration;

use serde_json::Value;
use shared::{
    graph::{Graph, Node, NodeData, handle},
    ids::{ExecutionId, OrgId, WorkflowId},
    inputs::{self, Bindings},
    retry::Transient,
    store,
};

use crate::AppState;

/// A node whose input is resolved.
pub(crate) enum Prepared {
    /// It has no side effect and has ended.
    Done(Outcome),
    /// It ends after some time.
    Wait {
        /// How long.
        duration: Duration,
    },
    /// It has a side effect.
    Effect(Effect),
}

/// A side effect with everything it needs.
pub(crate) enum Effect {
    Agent(agent::AgentCall),
    Http(http::HttpCall),
    Llm(llm::LlmCall),
}

/// On whose behalf a side effect happens.
pub(crate) struct Call {
    pub(crate) org_id: OrgId,
    pub(crate) workflow_id: WorkflowId,
    pub(crate) execution_id: ExecutionId,
    /// The same in every attempt.
    pub(crate) idempotency_key: String,
}

/// What a node came to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) output: Value,
    /// The handle whose edges are followed.
    pub(crate) handle: &'static str,
    pub(crate) tokens: i64,
    /// What an agent thought, for the log.
    pub(crate) thoughts: Vec<String>,
}

/// Why a node failed. The message is safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    is_transient: bool,
    retry_after: Option<Duration>,
}

/// Why a side effect has no outcome.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The node failed: its policy decides what happens.
    Failed(Failure),
    /// Our own database failed: no fault of the node, the run goes on with another worker.
    Database(store::Error),
}

/// Resolves a node's input.
///
/// # Errors
/// Returns a [`Failure`] for an expression that has no value.
pub(crate) fn prepare(
    node: &Node,
    graph: &Graph,
    bindings: &Bindings,
) -> Result<Prepared, Failure> {
    match &node.data {
        NodeData::Trigger(_) => Ok(Prepared::Done(Outcome::of(bindings.trigger().clone()))),
        NodeData::Agent(data) => agent::prepare(data, bindings),
        NodeData::Llm(data) => llm::prepare(data, bindings),
        NodeData::Http(data) => http::prepare(data, bindings),
        NodeData::Condition(data) => condition::prepare(data, bindings),
        NodeData::Transform(data) => transform::prepare(data, bindings),
        NodeData::Wait(data) => wait::prepare(data, bindings),
        NodeData::Output(data) => output::prepare(data, node, graph, bindings),
        NodeData::Switch(_)
        | NodeData::Loop(_)
        | NodeData::Merge(_)
        | NodeData::Approval(_)
        | NodeData::Workflow(_) => {
            let message = format!("`{}` nodes cannot be run yet", node.kind().as_str());
            Err(Failure::permanent("unimplemented", message))
        }
    }
}

impl Effect {
    /// Calls the service.
    ///
    /// # Errors
    /// Returns a [`Stop`] that tells whether trying again may help.
    pub(crate) async fn perform(&self, state: &AppState, call: &Call) -> Result<Outcome, Stop> {
        match self {
            Self::Agent(agent) => agent.perform(state, call).await,
            Self::Http(http) => http.perform(state, call).await,
            Self::Llm(llm) => llm.perform(state, call).await,
        }
    }

    /// A fingerprint of what is asked for.
    pub(crate) fn request_hash(&self) -> String {
        match self {
            Self::Agent(agent) => agent.request_hash(),
            Self::Http(http) => http.request_hash(),
            Self::Llm(llm) => llm.request_hash(),
        }
    }
}

impl Outcome {
    /// An output without more.
    pub(crate) fn of(output: Value) -> Self {
        Self {
            output,
            ..Self::default()
        }
    }
}

impl Default for Outcome {
    fn default() -> Self {
        Self {
            output: Value::Null,
            handle: handle::OUT,
            tokens: 0,
            thoughts: Vec::new(),
        }
    }
}

impl Failure {
    /// A failure that trying again does not mend.
    pub(crate) fn permanent(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            is_transient: false,
            retry_after: None,
        }
    }

    /// A failure that trying again may mend.
    pub(crate) fn transient(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            is_transient: true,
            ..Self::permanent(code, message)
        }
    }

    fn with_retry_after(self, retry_after: Option<Duration>) -> Self {
        Self {
            retry_after,
            ..self
        }
    }
}

impl Transient for Failure {
    fn is_transient(&self) -> bool {
        self.is_transient
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl From<inputs::Error> for Failure {
    fn from(error: inputs::Error) -> Self {
        Self::permanent("invalid_argument", error.to_string())
    }
}

impl Transient for Stop {
    fn is_transient(&self) -> bool {
        match self {
            Self::Failed(failure) => failure.is_transient(),
            Self::Database(error) => error.is_transient(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Failed(failure) => failure.retry_after(),
            Self::Database(_) => None,
        }
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<store::Error> for Stop {
    fn from(error: store::Error) -> Self {
        Self::Database(error)
    }
}
