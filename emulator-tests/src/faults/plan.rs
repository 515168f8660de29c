//! The workflows that run under faults, and what the checker must know of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared::{
    ids::{OrgId, WorkflowId},
    models::Workflow,
};

use super::sinks::{HOST, SinkKind};

/// A workflow and its graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Its id.
    pub name: &'static str,
    /// ReactFlow nodes.
    pub nodes: Vec<Value>,
    /// ReactFlow edges.
    pub edges: Vec<Value>,
}

impl Plan {
    /// Eight nodes: a slow effect with a model behind it, a branch with a flaky effect, and an
    /// effect without a key that must not happen twice, side by side.
    #[must_use]
    pub fn eight_nodes() -> Self {
        let nodes = vec![
            node("start", "trigger", json!({})),
            effect("charge", "slow"),
            llm("summary"),
            node(
                "check",
                "condition",
                json!({ "expression": "trigger.amount > 50" }),
            ),
            effect("approve", "flaky"),
            node("note", "transform", json!({ "value": "${trigger.amount}" })),
            effect_once("mail", "unkeyed"),
            node("end", "output", json!({ "value": "${execution.id}" })),
        ];
        let edges = vec![
            edge("start", "charge"),
            edge("charge", "summary"),
            edge("summary", "end"),
            edge("start", "check"),
            branch("check", "true", "approve"),
            branch("check", "false", "note"),
            edge("approve", "end"),
            edge("note", "end"),
            edge("start", "mail"),
            edge("mail", "end"),
        ];
        Self {
            name: "eight-nodes",
            nodes,
            edges,
        }
    }

    /// A trigger, one call of a sink, an output.
    #[must_use]
    pub fn one_effect(name: &'static str, sink: &str) -> Self {
        Self::around(name, effect("work", sink))
    }

    /// The same with another effect before it, which is recorded when `work` begins.
    #[must_use]
    pub fn two_effects(name: &'static str, sink: &str) -> Self {
        let mut plan = Self::one_effect(name, sink);
        plan.nodes.push(effect("first", "keyed"));
        plan.edges = vec![
            edge("start", "first"),
            edge("first", "work"),
            edge("work", "end"),
        ];
        plan
    }

    /// A trigger, a node with the id `work`, an output.
    #[must_use]
    pub fn around(name: &'static str, work: Value) -> Self {
        let nodes = vec![
            node("start", "trigger", json!({})),
            work,
            node("end", "output", json!({ "value": "${execution.id}" })),
        ];
        let edges = vec![edge("start", "work"), edge("work", "end")];
        Self { name, nodes, edges }
    }

    /// The document.
    #[must_use]
    pub fn workflow(&self, org_id: &OrgId) -> Workflow {
        Workflow {
            id: self.id(),
            org_id: org_id.clone(),
            name: self.name.to_owned(),
            description: String::new(),
            nodes: self.nodes.clone(),
            edges: self.edges.clone(),
            triggers: Vec::new(),
            active: true,
            created_at: None,
            updated_at: None,
        }
    }

    /// The workflow's id.
    #[must_use]
    pub fn id(&self) -> WorkflowId {
        WorkflowId::derive(&[self.name])
    }

    /// The sinks that nodes call, by node.
    #[must_use]
    pub fn sinks(&self) -> BTreeMap<String, SinkKind> {
        let called = |node: &Value| {
            let path = node["data"]["url"]
                .as_str()?
                .strip_prefix(&format!("http://{HOST}/"))?;
            let kind = path.split('/').next()?;
            let kind = serde_json::from_value(kind.into()).ok()?;
            Some((node["id"].as_str()?.to_owned(), kind))
        };
        self.nodes.iter().filter_map(called).collect()
    }

    /// The ids of all nodes.
    pub fn node_ids(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().filter_map(|node| node["id"].as_str())
    }

    /// Source and target of all edges.
    pub fn connections(&self) -> impl Iterator<Item = (&str, &str)> {
        self.edges
            .iter()
            .filter_map(|edge| Some((edge["source"].as_str()?, edge["target"].as_str()?)))
    }
}

/// A node of a graph.
pub(crate) fn node(id: &str, kind: &str, data: Value) -> Value {
    json!({ "id": id, "type": kind, "position": { "x": 0, "y": 0 }, "data": data })
}

/// A connection of a graph.
pub(crate) fn edge(source: &str, target: &str) -> Value {
    json!({ "id": format!("{source}-{target}"), "source": source, "target": target })
}

/// A node that calls a sink, and tries again a few times.
pub(crate) fn effect(id: &str, sink: &str) -> Value {
    let data = json!({
        "method": "POST",
        "url": format!("http://{HOST}/{sink}/${{execution.id}}/{id}"),
        "timeoutSecs": 10,
        "retry": { "attempts": 6, "firstDelayMs": 50, "maxDelayMs": 400 },
    });
    node(id, "http", data)
}

/// A node that calls a sink at most once: when its outcome is unknown, the run goes on without it.
pub(crate) fn effect_once(id: &str, sink: &str) -> Value {
    let data = json!({
        "method": "POST",
        "url": format!("http://{HOST}/{sink}/${{execution.id}}/{id}"),
        "timeoutSecs": 10,
        "atMostOnce": true,
        "onError": "continue",
    });
    node(id, "http", data)
}

fn llm(id: &str) -> Value {
    let retry = json!({ "attempts": 4, "firstDelayMs": 50, "maxDelayMs": 400 });
    let prompt = "Sum up the order ${execution.id} of ${trigger.amount}.";
    node(
        id,
        "llm",
        json!({ "prompt": prompt, "maxTokens": 64, "retry": retry }),
    )
}

fn branch(source: &str, handle: &str, target: &str) -> Value {
    let mut edge = edge(source, target);
    edge["sourceHandle"] = json!(handle);
    edge
}

#[cfg(test)]
mod tests {
    use shared::graph::Graph;

    use super::*;

    #[test]
    fn the_plans_are_valid_graphs() {
        for plan in [Plan::eight_nodes(), Plan::one_effect("one", "keyed")] {
            let graph = Graph::parse(&plan.nodes, &plan.edges);
            assert!(graph.is_ok(), "{}: {graph:?}", plan.name);
        }
    }

    #[test]
    fn the_sinks_of_a_plan_are_read_from_its_graph() {
        let sinks = Plan::eight_nodes().sinks();
        let kinds = [("charge", SinkKind::Slow), ("approve", SinkKind::Flaky)];
        for (node, kind) in kinds {
            assert_eq!(sinks.get(node), Some(&kind));
        }
        assert_eq!(sinks.len(), 3);
    }
}
