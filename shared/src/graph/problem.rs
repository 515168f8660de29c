use serde::Serialize;

/// One thing that is wrong with a graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The node it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_id: Option<String>,
    /// The edge it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edge_id: Option<String>,
    /// Where, like `nodes[3].data.url`.
    pub field: String,
    /// What is wrong.
    pub message: String,
}

/// A graph or payload that cannot be run.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{} problems, the first in `{}`", problems.len(), first_field(problems))]
pub struct Invalid {
    /// At least one.
    pub problems: Vec<Problem>,
}

impl Problem {
    /// A problem of the whole graph.
    pub(super) fn of_graph(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            node_id: None,
            edge_id: None,
            field: field.into(),
            message: message.into(),
        }
    }

    /// A problem of a node.
    pub(super) fn of_node(id: &str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            node_id: Some(id.to_owned()),
            ..Self::of_graph(field, message)
        }
    }

    /// A problem of an edge.
    pub(super) fn of_edge(id: &str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            edge_id: Some(id.to_owned()),
            ..Self::of_graph(field, message)
        }
    }
}

/// Problems that are told at most: an answer must not be larger than what it answers.
const MAX_PROBLEMS: usize = 100;

impl Invalid {
    /// Fails with the problems, if there are any.
    pub(super) fn unless_empty(problems: &mut Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            return Ok(());
        }
        let mut problems = std::mem::take(problems);
        problems.truncate(MAX_PROBLEMS);
        Err(Self { problems })
    }
}

fn first_field(problems: &[Problem]) -> &str {
    problems.first().map_or("nodes", |problem| &problem.field)
}
