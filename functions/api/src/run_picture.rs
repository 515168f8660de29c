//! Pictures of a graph, with or without what a run has made of it.
//!
//! They are made of the editor's nodes and edges as they are stored, so that a graph that cannot
//! run can be drawn as well. All text in them is users' and escaped where it is written.

mod edge;
mod items;
mod layers;
mod layout;
mod mermaid;
mod outcome;
mod svg;
mod text;

use std::collections::HashMap;

use serde_json::Value;
use shared::{
    ids::{ExecutionId, WorkflowId},
    models::{Execution, ExecutionStatus, Principal, Step, Timestamp},
    store::Store,
};

use self::{edge::Edge, layout::Point, outcome::Outcome};
use crate::{
    error::Error,
    executions::{self, Run},
    workflows,
};

pub(crate) use self::{
    mermaid::draw as to_mermaid,
    svg::{Escaped, draw as to_svg},
    text::shorten,
};

/// What is to be drawn.
#[derive(Debug)]
pub(crate) struct Picture {
    title: String,
    run: Option<Head>,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
}

/// The run as a whole.
#[derive(Debug)]
struct Head {
    status: ExecutionStatus,
    started_at: Timestamp,
    duration_ms: i64,
}

#[derive(Debug)]
struct Node {
    label: String,
    kind: String,
    /// Where the editor shows it.
    position: Option<Point>,
    /// What became of it, in the picture of a run.
    outcome: Option<Outcome>,
}

/// The caller's workflow as it is now.
pub(crate) async fn of_workflow(
    store: &Store,
    principal: &Principal,
    id: &WorkflowId,
) -> Result<Picture, Error> {
    let workflow = workflows::find(store, principal, id).await?.value;
    let (nodes, edges) = (&workflow.nodes, &workflow.edges);
    Ok(Picture::new(workflow.name.clone(), nodes, edges, None))
}

/// The caller's execution on the version that it is pinned to; on the workflow as it is now, if it
/// has not begun.
pub(crate) async fn of_execution(
    store: &Store,
    principal: &Principal,
    id: &ExecutionId,
    now: Timestamp,
) -> Result<Picture, Error> {
    match executions::find(store, principal, id).await? {
        Run::Begun(execution) => of_begun(store, principal, &execution.value, now).await,
        Run::Queued { trigger, .. } => {
            let head = Head::new(ExecutionStatus::Queued, trigger.created_at, now);
            of_not_begun(store, principal, &trigger.workflow_id, head).await
        }
    }
}

async fn of_begun(
    store: &Store,
    principal: &Principal,
    execution: &Execution,
    now: Timestamp,
) -> Result<Picture, Error> {
    let (workflow_id, hash) = (&execution.workflow_id, &execution.workflow_version);
    let ended = execution.finished_at.unwrap_or(now);
    let head = Head::new(execution.status, execution.started_at, ended);
    // Cancelled before it could begin.
    if hash.is_empty() {
        return of_not_begun(store, principal, workflow_id, head).await;
    }
    let org_id = &principal.org_id;
    let version = store.find_workflow_version(org_id, workflow_id, hash);
    let version = version.await?.ok_or(Error::NotFound("workflow version"))?;
    let steps = store.list_steps(org_id, &execution.id).await?;
    let title = execution.workflow_name.clone();
    let (nodes, edges) = (list(&version.nodes.0), list(&version.edges.0));
    Ok(Picture::new(title, nodes, edges, Some((head, &steps))))
}

async fn of_not_begun(
    store: &Store,
    principal: &Principal,
    id: &WorkflowId,
    head: Head,
) -> Result<Picture, Error> {
    let workflow = workflows::find(store, principal, id).await?.value;
    let (nodes, edges, run) = (&workflow.nodes, &workflow.edges, Some((head, &[][..])));
    Ok(Picture::new(workflow.name.clone(), nodes, edges, run))
}

impl Picture {
    /// Nodes without an id and edges without ends are left out.
    fn new(title: String, nodes: &[Value], edges: &[Value], run: Option<(Head, &[Step])>) -> Self {
        let mut places = HashMap::new();
        let mut shown = Vec::new();
        for node in nodes {
            if let Some(id) = node["id"].as_str().filter(|id| !places.contains_key(id)) {
                places.insert(id, shown.len());
                shown.push(node);
            }
        }
        let ids: Vec<&str> = shown
            .iter()
            .filter_map(|node| node["id"].as_str())
            .collect();
        let mut edges = edge::parse(edges, &places);
        let mut nodes: Vec<Node> = shown.iter().map(|node| Node::new(node)).collect();
        let run = run.map(|(head, steps)| {
            let steps = outcome::by_node(steps, &ids);
            edge::mark_taken(&mut edges, &shown, &steps);
            let items = items::count(&edges, &shown, &steps);
            for (node, (steps, items)) in nodes.iter_mut().zip(steps.iter().zip(items)) {
                node.outcome = Some(Outcome::of(steps, items));
            }
            head
        });
        Self {
            title,
            run,
            nodes,
            edges,
        }
    }
}

impl Head {
    fn new(status: ExecutionStatus, started_at: Timestamp, ended: Timestamp) -> Self {
        let duration = ended.instant().duration_since(started_at.instant());
        let duration_ms = i64::try_from(duration.as_millis()).unwrap_or_default();
        Self {
            status,
            started_at,
            duration_ms: duration_ms.max(0),
        }
    }
}

impl Node {
    fn new(node: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let label = node["data"]["label"].as_str().map(str::trim);
        let label = label.filter(|label| !label.is_empty());
        Self {
            label: label.map_or_else(|| text(&node["id"]), str::to_owned),
            kind: text(&node["type"]),
            position: layout::position(node),
            outcome: None,
        }
    }
}

/// Whether a failure of the node is the end of what it is a part of.
fn is_fatal(node: &Value) -> bool {
    matches!(&node["data"]["onError"], Value::Null) || node["data"]["onError"] == "fail"
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests;
