//! What checking a graph costs: `cargo bench -p shared --bench graph`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Value, json};
use shared::graph::{Graph, GraphLimits};

const LIMITS: GraphLimits = GraphLimits {
    nodes: 100_000,
    edges: 400_000,
};

/// A trigger and transformations, each with an expression, in groups of five: two branches that
/// join, a condition, and a loop around one node. Each group uses one that is far before it.
fn graph(size: usize) -> (Vec<Value>, Vec<Value>) {
    let mut nodes = vec![json!({ "id": "n0", "type": "trigger", "data": {} })];
    let mut edges = Vec::new();
    let mut link = |source: usize, handle: &str, target: usize, into: &str| {
        let id = format!("e{}", edges.len());
        edges.push(
            json!({ "id": id, "source": format!("n{source}"), "sourceHandle": handle,
            "target": format!("n{target}"), "targetHandle": into }),
        );
    };
    let mut last = 0;
    let mut last_handle = "out";
    for first in (1..size).step_by(5) {
        let far = match first / 15 {
            0 => 0,
            group => group * 5 + 1,
        };
        let data = [
            json!({ "value": format!("${{nodes.n{far}.output}}") }),
            json!({ "value": { "a": format!("Hello ${{trigger.name}}, ${{nodes.n{last}.output}}") } }),
            json!({ "expression": format!("nodes.n{first}.output == 1 && trigger.x > 2") }),
            json!({ "items": format!("${{nodes.n{first}.output.list}}") }),
            json!({ "value": "${item.name + string(index)}" }),
        ];
        let kinds = ["transform", "transform", "condition", "loop", "transform"];
        for (offset, (kind, data)) in kinds.into_iter().zip(data).enumerate() {
            let id = format!("n{}", first + offset);
            let position = json!({ "x": offset, "y": first });
            nodes.push(json!({ "id": id, "type": kind, "position": position, "data": data }));
        }
        link(last, last_handle, first, "in");
        link(last, last_handle, first + 1, "in");
        link(first, "out", first + 2, "in");
        link(first + 1, "out", first + 2, "in");
        link(first + 2, "true", first + 3, "in");
        link(first + 3, "each", first + 4, "in");
        link(first + 4, "out", first + 3, "next");
        (last, last_handle) = (first + 3, "done");
    }
    (nodes, edges)
}

/// A line in which each node uses the output of some node before it, wherever that is.
fn line(size: usize) -> (Vec<Value>, Vec<Value>) {
    let mut nodes = vec![json!({ "id": "n0", "type": "trigger", "data": {} })];
    for n in 1..size {
        let used = n.wrapping_mul(2_654_435_761) % (1 << 20) % n;
        let value = format!("${{nodes.n{used}.output}}");
        nodes.push(
            json!({ "id": format!("n{n}"), "type": "transform", "data": { "value": value } }),
        );
    }
    let edge = |n: usize| json!({ "id": format!("e{n}"), "source": format!("n{}", n - 1), "target": format!("n{n}") });
    (nodes, (1..size).map(edge).collect())
}

fn parse(criterion: &mut Criterion) {
    for (name, make) in [("graph", graph as fn(usize) -> _), ("line", line)] {
        let mut group = criterion.benchmark_group(name);
        for size in [5, 100, 500, 10_000] {
            let (nodes, edges) = make(size);
            assert!(Graph::parse_within(&nodes, &edges, &LIMITS).is_ok());
            group.throughput(Throughput::Elements(nodes.len() as u64));
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                bencher.iter(|| Graph::parse_within(black_box(&nodes), black_box(&edges), &LIMITS));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, parse);
criterion_main!(benches);
