mod actions;
mod examples;
mod http;
mod kinds;
mod loops;
mod random;
mod schemas;
mod validation;

use serde_json::{Value, json};

use super::*;

/// Trigger → fetch → check ─true→ done, ─false→ pause → done.
fn nodes() -> Vec<Value> {
    let ui = json!({ "x": 0, "y": 0 });
    vec![
        json!({ "id": "start", "type": "trigger", "position": ui, "data": { "fields": { "city": "string" } } }),
        json!({ "id": "fetch", "type": "http", "position": ui, "measured": { "width": 10 }, "selected": true,
            "data": { "label": "Fetch", "method": "GET", "url": "https://api.example.com/${trigger.city}",
                "headers": { "x-key": "${trigger.city}" }, "query": { "q": "${trigger.city}" },
                "retry": { "attempts": 3 }, "timeoutSecs": 20, "onError": { "default": { "ok": false } } } }),
        json!({ "id": "check", "type": "condition", "position": ui,
            "data": { "expression": "nodes.fetch.output.ok == true", "description": "?", "ui": { "color": "red" } } }),
        json!({ "id": "pause", "type": "wait", "position": ui, "data": { "seconds": 5 } }),
        json!({ "id": "done", "type": "output", "position": ui, "data": { "value": "${nodes.fetch.output}" } }),
    ]
}

fn edges() -> Vec<Value> {
    vec![
        json!({ "id": "e1", "source": "start", "target": "fetch", "animated": true }),
        json!({ "id": "e2", "source": "fetch", "target": "check", "sourceHandle": null, "targetHandle": null }),
        json!({ "id": "e3", "source": "check", "target": "done", "sourceHandle": "true", "label": "yes" }),
        json!({ "id": "e4", "source": "check", "target": "pause", "sourceHandle": "false" }),
        json!({ "id": "e5", "source": "pause", "target": "done", "sourceHandle": "out", "targetHandle": "in" }),
    ]
}

/// Edges like `check.false > pause` or `body > loop.next`, with the ids e0, e1, ….
fn links(links: &[&str]) -> Vec<Value> {
    let end = |text: &str| match text.split_once('.') {
        Some((node, handle)) => (json!(node), json!(handle)),
        None => (json!(text), Value::Null),
    };
    let edge = |(position, link): (usize, &&str)| {
        let (source, target) = link.split_once(" > ").unwrap();
        let ((source, source_handle), (target, target_handle)) = (end(source), end(target));
        json!({ "id": format!("e{position}"), "source": source, "sourceHandle": source_handle,
            "target": target, "targetHandle": target_handle })
    };
    links.iter().enumerate().map(edge).collect()
}

fn node(id: &str, kind: &str, data: Value) -> Value {
    json!({ "id": id, "type": kind, "data": data })
}

/// The problems of a graph, as `field: message`.
fn found(nodes: &[Value], edges: &[Value]) -> Vec<String> {
    let Err(invalid) = Graph::parse(nodes, edges) else {
        return Vec::new();
    };
    let problems = invalid.problems.iter();
    problems
        .map(|problem| format!("{}: {}", problem.field, problem.message))
        .collect()
}

fn graph() -> Graph {
    Graph::parse(&nodes(), &edges()).unwrap_or_else(|invalid| panic!("{:#?}", invalid.problems))
}

fn ids<'g>(nodes: impl Iterator<Item = &'g Node>) -> Vec<&'g str> {
    nodes.map(|node| node.id.as_str()).collect()
}

#[test]
fn a_graph_is_parsed_with_its_policies() {
    let graph = graph();
    assert_eq!(graph.trigger().id, "start");
    assert_eq!(
        ids(graph.nodes().iter()),
        ["start", "fetch", "check", "pause", "done"]
    );
    let fetch = graph.node("fetch").unwrap();
    assert_eq!(
        (fetch.kind(), fetch.label.as_deref()),
        (NodeKind::Http, Some("Fetch"))
    );
    let retry = RetryPolicy {
        attempts: 3,
        first_delay_ms: 1000,
        max_delay_ms: 30_000,
    };
    let on_error = OnError::Default(json!({ "ok": false }));
    let expected = Policy {
        retry: Some(retry),
        timeout_secs: Some(20),
        on_error,
        at_most_once: false,
    };
    assert_eq!(fetch.policy, expected);
    assert_eq!(graph.node("pause").unwrap().policy, Policy::default());
    assert!(graph.node("missing").is_none());
}

#[test]
fn edges_are_found_by_their_ends() {
    let graph = graph();
    let incoming: Vec<_> = graph
        .incoming("done")
        .map(|edge| edge.id.as_str())
        .collect();
    assert_eq!(incoming, ["e3", "e5"]);
    let outgoing: Vec<_> = graph
        .outgoing("check")
        .map(|edge| edge.source_handle.as_str())
        .collect();
    assert_eq!(outgoing, [handle::TRUE, handle::FALSE]);
    assert_eq!(
        graph.incoming("start").count() + graph.outgoing("done").count(),
        0
    );
    assert_eq!(ids(graph.leaves()), ["done"]);
}

#[test]
fn order_puts_every_node_after_those_before_it() {
    let graph = graph();
    let order = ids(graph.in_order());
    let position = |id: &str| order.iter().position(|other| *other == id);
    assert_eq!(order.len(), 5);
    for edge in graph.edges() {
        assert!(
            position(&edge.source) < position(&edge.target),
            "{edge:?} in {order:?}"
        );
    }
}

#[test]
fn a_payload_must_have_the_declared_fields() {
    let graph = graph();
    assert!(
        graph
            .check_payload(&json!({ "city": "Bern", "more": 1 }))
            .is_ok()
    );
    for (payload, message) in [
        (json!({}), "missing field"),
        (json!(null), "missing field"),
        (json!({ "city": 3 }), "must be of type string"),
    ] {
        let problems = graph.check_payload(&payload).unwrap_err().problems;
        assert_eq!(
            problems,
            [Problem::of_node("start", "payload.city", message)]
        );
    }
}

#[test]
fn field_types_fit_their_values() {
    let types = [
        (FieldType::String, json!("a")),
        (FieldType::Number, json!(1.5)),
        (FieldType::Boolean, json!(true)),
        (FieldType::Object, json!({})),
        (FieldType::Array, json!([])),
    ];
    for (position, (kind, _)) in types.iter().enumerate() {
        for (other, (_, value)) in types.iter().enumerate() {
            let trigger = TriggerData {
                fields: [("a".to_owned(), *kind)].into(),
                ..TriggerData::default()
            };
            let result = trigger.check_payload("start", &json!({ "a": value }));
            assert_eq!(result.is_ok(), position == other, "{kind:?} {value}");
        }
    }
}

#[test]
fn wait_takes_numbers_and_text_of_numbers() {
    let seconds = |value: Value| WaitData::duration(&value).map(|time| time.as_secs_f64());
    assert_eq!(seconds(json!(5)), Some(5.0));
    assert_eq!(seconds(json!("2.5")), Some(2.5));
    assert_eq!(seconds(json!(2_592_000)), Some(2_592_000.0));
    for value in [
        json!(2_592_001),
        json!(-1),
        json!("soon"),
        json!("NaN"),
        json!(null),
        json!([1]),
    ] {
        assert_eq!(seconds(value.clone()), None, "{value}");
    }
}

#[test]
fn kinds_are_spelled_as_in_the_graph() {
    for kind in [
        "trigger",
        "agent",
        "llm",
        "http",
        "condition",
        "switch",
        "loop",
        "merge",
        "transform",
        "wait",
        "approval",
        "workflow",
        "output",
    ] {
        assert_eq!(NodeKind::parse(kind).unwrap().as_str(), kind);
    }
    assert_eq!(NodeKind::parse("Trigger"), None);
}

#[test]
fn the_version_depends_on_content_and_not_on_the_order_of_keys() {
    let parse = |text: &str| vec![serde_json::from_str::<Value>(text).unwrap()];
    let one = version_hash(&parse(r#"{"id":"a","data":{"x":[1,2.5],"y":"ü\n"}}"#), &[]);
    let same = version_hash(
        &parse(r#"{"data":{"y":"\u00fc\n","x":[1,2.50]},"id":"a"}"#),
        &[],
    );
    assert_eq!(one, same);
    let others = [
        version_hash(&parse(r#"{"id":"a","data":{"x":[2.5,1],"y":"ü\n"}}"#), &[]),
        version_hash(&parse(r#"{"id":"a","data":{"x":[1,2.5],"y":"ü"}}"#), &[]),
        version_hash(&[], &parse(r#"{"id":"a","data":{"x":[1,2.5],"y":"ü\n"}}"#)),
    ];
    assert!(!others.contains(&one));
    let digest = "2c0880eda05b1dae0d3a21d61a9aa2db1831f83f4d4f1ad50183c1d9d9db6c7e";
    assert_eq!(
        one, digest,
        "of {{\"edges\":[],\"nodes\":[{{\"data\":{{\"x\":[1,2.5],\"y\":\"ü\\n\"}},\"id\":\"a\"}}]}}"
    );
}
