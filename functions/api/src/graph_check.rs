use std::collections::BTreeMap;

use serde_json::Value;
use shared::{
    graph::{self, Graph, NodeKind},
    models::{Mock, Workflow},
};

use crate::{
    document_limits,
    error::{Error, Problem},
    trigger_declaration,
};

/// Whether the workflow can be stored and run.
pub(crate) fn check(workflow: &Workflow) -> Result<(), Error> {
    let problems = problems(&workflow.nodes, &workflow.edges, &workflow.triggers);
    if problems.is_empty() {
        return Ok(());
    }
    Err(Error::Invalid(problems))
}

/// Whether the workflow can run with this payload and these mocks.
pub(crate) fn check_start(
    workflow: &Workflow,
    payload: &Value,
    mocks: &BTreeMap<String, Mock>,
) -> Result<(), Error> {
    let graph = Graph::parse(&workflow.nodes, &workflow.edges);
    let graph = graph.map_err(|invalid| Error::Invalid(to_problems(invalid)))?;
    let invalid = graph.check_payload(payload).err();
    let mut problems = invalid.map(to_problems).unwrap_or_default();
    let mocks = mocks.iter();
    problems.extend(mocks.filter_map(|(node_id, mock)| mock_problem(&graph, node_id, mock)));
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Error::Invalid(problems)),
    }
}

/// Why a node cannot come to this.
fn mock_problem(graph: &Graph, node_id: &str, mock: &Mock) -> Option<Problem> {
    let field = format!("mocks.{node_id}");
    let Some(node) = graph.node(node_id) else {
        return Some(Problem::new(field, "there is no such node"));
    };
    if node.kind() == NodeKind::Trigger {
        let message = "the output of the trigger node is the payload";
        return Some(Problem::new(field, message));
    }
    let too_deep = document_limits::depth_problem(&format!("{field}.output"), &mock.output);
    if too_deep.is_some() {
        return too_deep;
    }
    let (handle, handles) = (mock.handle.as_deref()?, node.handles());
    if handles.contains(&handle) {
        return None;
    }
    let message = match handles.is_empty() {
        true => "nothing can follow an output node".to_owned(),
        false => format!("must be one of `{}`", handles.join("`, `")),
    };
    Some(Problem::new(format!("{field}.handle"), message))
}

/// What is wrong with a graph, by node and field. What cannot be stored is told first: the graph
/// of it would say the same in other words.
fn problems(nodes: &[Value], edges: &[Value], triggers: &[Value]) -> Vec<Problem> {
    let parts = [("nodes", nodes), ("edges", edges), ("triggers", triggers)];
    let mut problems = document_limits::problems(&parts);
    if problems.is_empty() {
        let graph = Graph::parse(nodes, edges);
        problems.extend(graph.err().map(to_problems).unwrap_or_default());
        problems.extend(trigger_declaration::problems(triggers));
    }
    problems
}

fn to_problems(invalid: graph::Invalid) -> Vec<Problem> {
    invalid.problems.into_iter().map(Problem::from).collect()
}

impl From<graph::Problem> for Problem {
    fn from(problem: graph::Problem) -> Self {
        let message = match (&problem.node_id, &problem.edge_id) {
            (Some(id), _) => format!("{} (node `{id}`)", problem.message),
            (None, Some(id)) => format!("{} (edge `{id}`)", problem.message),
            (None, None) => problem.message,
        };
        Self::new(problem.field, message)
    }
}
