use serde::{Serialize, Serializer};

use super::{NodeData, OnError, Policy, handle};
use crate::actions::{self, Action, Effect};

/// A valid node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Unique in the graph.
    pub id: String,
    /// What the editor shows, if it was named.
    pub label: Option<String>,
    /// What it does.
    pub data: NodeData,
    /// What happens when it fails.
    pub policy: Policy,
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// Begins every run; its output is the payload.
    Trigger,
    /// Asks an agent.
    Agent,
    /// Asks a model.
    Llm,
    /// Calls a URL.
    Http,
    /// Searches what was synced.
    Knowledge,
    /// Chooses one of two branches.
    Condition,
    /// Chooses one of several branches.
    Switch,
    /// Runs its body for each item of a list.
    Loop,
    /// Brings branches together.
    Merge,
    /// Computes a value.
    Transform,
    /// Lets time pass.
    Wait,
    /// Asks people.
    Approval,
    /// Runs another workflow.
    Workflow,
    /// Sets the run's output.
    Output,
    /// Has a connected service do something.
    Action(&'static Action),
}

impl Node {
    /// What the node does.
    pub fn kind(&self) -> NodeKind {
        self.data.kind()
    }

    /// The source handles that edges of the node may have.
    pub fn handles(&self) -> Vec<&str> {
        let mut handles = self.data.handles();
        if self.policy.on_error == OnError::Branch {
            handles.push(handle::ERROR);
        }
        handles
    }
}

impl NodeKind {
    /// The kinds that are no actions, as a canvas would list them.
    const OWN: [Self; 14] = [
        Self::Trigger,
        Self::Agent,
        Self::Llm,
        Self::Http,
        Self::Knowledge,
        Self::Condition,
        Self::Switch,
        Self::Loop,
        Self::Merge,
        Self::Transform,
        Self::Wait,
        Self::Approval,
        Self::Workflow,
        Self::Output,
    ];

    /// All kinds, as a canvas would list them.
    pub fn all() -> impl Iterator<Item = Self> {
        let actions = actions::all().map(Self::Action);
        Self::OWN.into_iter().chain(actions)
    }

    /// The kind in the graph's `type`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::all().find(|kind| kind.as_str() == text)
    }

    /// The kind as the graph's `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Agent => "agent",
            Self::Llm => "llm",
            Self::Http => "http",
            Self::Knowledge => "knowledge",
            Self::Condition => "condition",
            Self::Switch => "switch",
            Self::Loop => "loop",
            Self::Merge => "merge",
            Self::Transform => "transform",
            Self::Wait => "wait",
            Self::Approval => "approval",
            Self::Workflow => "workflow",
            Self::Output => "output",
            Self::Action(action) => action.name,
        }
    }

    /// Whether the node's settings decide which source handles it has.
    pub(super) fn has_handles_of_its_own(self) -> bool {
        matches!(self, Self::Switch | Self::Approval)
    }

    /// Whether the node acts on something outside that would notice a second time.
    pub(super) fn has_effect(self) -> bool {
        match self {
            Self::Agent | Self::Llm | Self::Http => true,
            Self::Action(action) => action.effect != Effect::Read,
            _ => false,
        }
    }

    /// Whether an attempt whose end is unknown is not repeated unless the node says otherwise.
    pub(super) fn is_done_once(self) -> bool {
        matches!(self, Self::Action(action) if action.effect == Effect::Once)
    }

    /// The source handles that a node of the kind may have when it succeeds, the cases of a
    /// switch aside.
    pub(super) fn handles(self) -> &'static [&'static str] {
        match self {
            Self::Condition => &[handle::TRUE, handle::FALSE],
            Self::Switch => &[handle::DEFAULT],
            Self::Loop => &[handle::EACH, handle::DONE],
            Self::Approval => &[handle::APPROVED, handle::REJECTED, handle::EXPIRED],
            Self::Output => &[],
            _ => &[handle::OUT],
        }
    }
}

impl Serialize for NodeKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
