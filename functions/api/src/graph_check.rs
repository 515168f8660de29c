use serde_json::Value;
use shared::{
    graph::{self, Graph},
    models::Workflow,
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

/// Whether the workflow can run with this payload.
pub(crate) fn check_start(workflow: &Workflow, payload: &Value) -> Result<(), Error> {
    Graph::parse(&workflow.nodes, &workflow.edges)
        .and_then(|graph| graph.check_payload(payload))
        .map_err(|invalid| Error::Invalid(to_problems(invalid)))
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
