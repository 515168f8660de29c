//! A workflow as a client may save it: it parses or is refused, and what parses can be walked.

#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use shared::graph::{Graph, version_hash};

fuzz_target!(|bytes: &[u8]| {
    let Ok(workflow) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    let list = |key: &str| workflow[key].as_array().cloned().unwrap_or_default();
    let (nodes, edges) = (list("nodes"), list("edges"));
    assert_eq!(version_hash(&nodes, &edges), version_hash(&nodes, &edges));
    match Graph::parse(&nodes, &edges) {
        Ok(graph) => walk(&graph, &workflow),
        Err(invalid) => assert!(!invalid.problems.is_empty(), "refused without a problem"),
    }
});

fn walk(graph: &Graph, workflow: &Value) {
    let ordered: BTreeSet<&str> = graph.in_order().map(|node| node.id.as_str()).collect();
    assert_eq!(
        ordered.len(),
        graph.nodes().len(),
        "a node has no place in the order"
    );
    for edge in graph.edges() {
        assert!(graph.node(&edge.source).is_some() && graph.node(&edge.target).is_some());
    }
    for node in graph.nodes() {
        let _ = graph.incoming(&node.id).count() + graph.outgoing(&node.id).count();
    }
    assert!(graph.leaves().count() > 0, "a graph ends somewhere");
    assert!(graph.node(&graph.trigger().id).is_some());
    let _ = graph.check_payload(&workflow["payload"]);
}
