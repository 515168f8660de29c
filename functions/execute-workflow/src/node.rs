//! The kinds of nodes, one file each: resolve the input, then call the service.

mod action;
mod agent;
mod approval;
mod condition;
mod draft;
mod http;
mod knowledge;
mod llm;
mod loop_;
mod merge;
mod output;
mod stored;
mod switch;
mod transform;
mod wait;
mod workflow;

use std::{borrow::Cow, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::Value;
use shared::{
    graph::{Node, NodeData, NodeKind, handle},
    inputs::{self, Bindings},
    models::{Execution, ExecutionError, StoredBody, Timestamp},
    retry::Transient,
    store,
};

pub(crate) use self::{
    agent::{Move, Next, Repeat, Turn},
    output::{by_id, join},
};
use crate::{AppState, allowance::Allowance};

/// A node whose input is resolved.
pub(crate) enum Prepared {
    /// It has no side effect and has ended.
    Done(Outcome),
    /// It ends after some time.
    Wait {
        /// How long.
        duration: Duration,
    },
    /// Its body runs for every item.
    Items(Vec<Arc<Value>>),
    /// It has a side effect.
    Effect(Box<dyn Effect>),
    /// It takes several moves.
    Turn(Turn),
    /// It has a side effect that people have to grant first.
    AskFirst {
        /// Asks them; comes to [`Stop::Granted`] or a failure.
        question: Box<dyn Effect>,
        /// What is done then.
        effect: Box<dyn Effect>,
    },
}

/// A side effect with everything it needs. A repeat with the same key is harmless where the other
/// side knows such keys.
#[async_trait]
pub(crate) trait Effect: Send + Sync {
    /// A fingerprint of what is asked for.
    fn request_hash(&self) -> String;

    /// Whether it only asks for leave to do something else: a repeat is harmless, and nothing has
    /// happened yet.
    fn asks_for_leave(&self) -> bool {
        false
    }

    /// Calls the service.
    async fn perform(&self, state: &AppState, call: &Call) -> Result<Outcome, Stop>;
}

/// On whose behalf a side effect happens.
#[derive(Clone)]
pub(crate) struct Call {
    /// The run, as it was when the effect began.
    pub(crate) execution: Arc<Execution>,
    pub(crate) node_id: String,
    /// Which of the node's iterations.
    pub(crate) iteration: String,
    /// The same in every attempt.
    pub(crate) idempotency_key: String,
    /// Whether an attempt whose end is unknown must not be repeated.
    pub(crate) at_most_once: bool,
    /// What the run's model calls may use together.
    pub(crate) allowance: Arc<Allowance>,
}

/// What a node came to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) output: Value,
    /// The handle whose edges are followed.
    pub(crate) handle: Cow<'static, str>,
    pub(crate) tokens: i64,
    pub(crate) cost_micro_usd: i64,
    /// What an agent thought, for the log.
    pub(crate) thoughts: Vec<String>,
}

/// Why a node failed. The message is safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    pub(crate) code: Cow<'static, str>,
    pub(crate) message: String,
    is_transient: bool,
    retry_after: Option<Duration>,
    /// Whether it may have had its effect all the same.
    pub(crate) may_have_happened: bool,
    /// LLM tokens used in vain.
    pub(crate) tokens: i64,
    /// What they cost.
    pub(crate) cost_micro_usd: i64,
}

/// Why a side effect has no outcome.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The node failed: its policy decides what happens.
    Failed(Failure),
    /// Our own database failed: no fault of the node, the run goes on with another worker.
    Database(store::Error),
    /// It waits for something outside of the run, which wakes the run up; at the latest at a time.
    Pending(Option<Timestamp>),
    /// People let the node act. It begins then, and no sooner.
    Granted,
}

/// Resolves a node's input; `before` are the outputs that lead to it.
///
/// # Errors
/// Returns a [`Failure`] for an expression that has no value.
pub(crate) fn prepare(
    node: &Node,
    before: &[(&str, &Value)],
    bindings: &Bindings,
) -> Result<Prepared, Failure> {
    match &node.data {
        NodeData::Trigger(_) => Ok(Prepared::Done(Outcome::of(bindings.trigger().clone()))),
        NodeData::Action(data) => action::prepare(data, bindings),
        NodeData::Agent(data) => agent::prepare(data, bindings),
        NodeData::Approval(data) => approval::prepare(data, bindings),
        NodeData::Condition(data) => condition::prepare(data, bindings),
        NodeData::Http(data) => http::prepare(data, bindings),
        NodeData::Knowledge(data) => knowledge::prepare(data, bindings),
        NodeData::Llm(data) => llm::prepare(data, bindings),
        NodeData::Loop(data) => loop_::prepare(data, bindings),
        NodeData::Merge(data) => Ok(merge::prepare(*data, before)),
        NodeData::Output(data) => output::prepare(data, before, bindings),
        NodeData::Switch(data) => switch::prepare(data, bindings),
        NodeData::Transform(data) => transform::prepare(data, bindings),
        NodeData::Wait(data) => wait::prepare(data, bindings),
        NodeData::Workflow(data) => workflow::prepare(data, bindings),
    }
}

/// Where a node of a kind goes on when nothing chooses another handle: what has failed decides for
/// nothing and approves nothing.
pub(crate) fn usual_handle(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Condition => handle::FALSE,
        NodeKind::Switch => handle::DEFAULT,
        NodeKind::Loop => handle::DONE,
        NodeKind::Approval => handle::REJECTED,
        _ => handle::OUT,
    }
}

impl Call {
    /// Where in the bucket the result of this call is kept when it is too large for a document.
    pub(crate) fn object_name(&self) -> String {
        let Execution { org_id, id, .. } = &*self.execution;
        StoredBody::object_of(org_id, id, &self.node_id, &self.iteration)
    }

    /// How the names of this run's objects begin.
    pub(crate) fn object_prefix(&self) -> String {
        let Execution { org_id, id, .. } = &*self.execution;
        StoredBody::prefix(org_id, id)
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

    /// No output, of what has used models in vain.
    pub(crate) fn of_failed(failure: &Failure) -> Self {
        Self {
            tokens: failure.tokens,
            cost_micro_usd: failure.cost_micro_usd,
            ..Self::default()
        }
    }

    /// An output that goes on at a handle of its own.
    pub(crate) fn at(handle: impl Into<Cow<'static, str>>, output: Value) -> Self {
        Self {
            handle: handle.into(),
            ..Self::of(output)
        }
    }
}

impl Default for Outcome {
    fn default() -> Self {
        Self {
            output: Value::Null,
            handle: Cow::Borrowed(handle::OUT),
            tokens: 0,
            cost_micro_usd: 0,
            thoughts: Vec::new(),
        }
    }
}

impl Failure {
    /// A failure that trying again does not mend.
    pub(crate) fn permanent(
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            is_transient: false,
            retry_after: None,
            may_have_happened: false,
            tokens: 0,
            cost_micro_usd: 0,
        }
    }

    /// Nobody knows what came of the one attempt that there may be.
    pub(crate) fn of_the_only_attempt() -> Self {
        let message = "an earlier attempt may have had its effect, and must be the only one";
        Self::permanent("unknown", message).perhaps_done()
    }

    /// A failure that trying again may mend.
    pub(crate) fn transient(
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            is_transient: true,
            ..Self::permanent(code, message)
        }
    }

    /// The same, after models were paid.
    pub(crate) fn having_used(self, tokens: i64, cost_micro_usd: i64) -> Self {
        Self {
            tokens,
            cost_micro_usd,
            ..self
        }
    }

    /// The same, when nobody can tell whether it had its effect.
    pub(crate) fn perhaps_done(self) -> Self {
        Self {
            may_have_happened: true,
            ..self
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

impl From<&ExecutionError> for Failure {
    fn from(error: &ExecutionError) -> Self {
        Self {
            may_have_happened: error.code == "unknown",
            ..Self::permanent(error.code.clone(), error.message.clone())
        }
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
            Self::Pending(_) | Self::Granted => false,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Failed(failure) => failure.retry_after(),
            Self::Database(_) | Self::Pending(_) | Self::Granted => None,
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
