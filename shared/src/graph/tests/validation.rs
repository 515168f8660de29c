use std::slice::from_ref;

use super::*;

/// The problems of the sample graph after a change, as `field: message`.
fn problems(change: impl FnOnce(&mut Vec<Value>, &mut Vec<Value>)) -> Vec<String> {
    let (mut nodes, mut edges) = (nodes(), edges());
    change(&mut nodes, &mut edges);
    found(&nodes, &edges)
}

fn with_data(node: usize, data: Value) -> Vec<String> {
    problems(|nodes, _| nodes[node]["data"] = data)
}

fn with_field(node: usize, name: &str, value: Value) -> Vec<String> {
    problems(|nodes, _| nodes[node]["data"][name] = value)
}

fn link(id: &str, source: &str, target: &str) -> Value {
    json!({ "id": id, "source": source, "target": target })
}

#[test]
fn an_empty_graph_is_refused() {
    assert_eq!(found(&[], &[]), ["nodes: a workflow needs nodes"]);
}

#[test]
fn a_trigger_alone_is_a_graph() {
    assert_eq!(
        found(&[json!({ "id": "start", "type": "trigger" })], &[]),
        [""; 0]
    );
}

#[test]
fn sizes_are_limited() {
    let node =
        |n: usize| json!({ "id": format!("n{n}"), "type": "transform", "data": { "value": n } });
    let mut nodes: Vec<Value> = (1..500).map(node).collect();
    nodes.push(json!({ "id": "start", "type": "trigger" }));
    let mut edges: Vec<Value> = (1..500)
        .map(|n| link(&format!("e{n}"), "start", &format!("n{n}")))
        .collect();
    assert_eq!(found(&nodes, &edges), [""; 0]);
    nodes.push(node(500));
    edges.extend((0..1502).map(|n| link(&format!("x{n}"), "start", "n500")));
    assert_eq!(
        found(&nodes, &edges),
        ["nodes: more than 500 nodes", "edges: more than 2,000 edges"]
    );
}

#[test]
fn there_is_exactly_one_trigger() {
    let none = problems(|nodes, _| {
        nodes[0] = json!({ "id": "start", "type": "transform", "data": { "value": 1 } })
    });
    assert_eq!(none, ["nodes: a workflow needs a trigger node"]);
    let two = problems(|nodes, _| nodes.push(json!({ "id": "other", "type": "trigger" })));
    assert_eq!(two, ["nodes[5].type: there is another trigger node"]);
}

#[test]
fn ids_are_safe_in_document_paths() {
    for id in ["a", "A-1_2.3:4", "dndnode_0", "__a", &"x".repeat(64)] {
        let problems = problems(|nodes, edges| {
            nodes[3]["id"] = json!(id);
            edges[3]["target"] = json!(id);
            edges[4]["source"] = json!(id);
        });
        assert_eq!(problems, [""; 0], "{id}");
    }
    for id in [
        "",
        "a/b",
        "a b",
        "ä",
        "..",
        ".",
        "__a__",
        "a#0",
        &"x".repeat(65),
    ] {
        let problems = problems(|nodes, _| nodes[3]["id"] = json!(id));
        assert!(
            problems[0].starts_with("nodes[3].id: must "),
            "{id}: {problems:?}"
        );
    }
    let number = problems(|nodes, _| nodes[3]["id"] = json!(7));
    assert_eq!(number[0], "nodes[3].id: must be a string");
}

#[test]
fn ids_are_unique() {
    let nodes = problems(|nodes, _| nodes.push(json!({ "id": "done", "type": "output" })));
    assert_eq!(nodes, ["nodes[5].id: another node has this id"]);
    let edges = problems(|_, edges| edges[4]["id"] = json!("e1"));
    assert_eq!(edges, ["edges[4].id: another edge has this id"]);
}

#[test]
fn a_type_must_be_known() {
    assert_eq!(
        problems(|nodes, _| nodes[3]["type"] = json!("teleport")),
        ["nodes[3].type: there is no node type `teleport`"]
    );
    assert_eq!(
        problems(|nodes, _| nodes[3]["type"] = json!(null)),
        ["nodes[3].type: must be a string"]
    );
    assert_eq!(
        problems(|nodes, _| nodes[4]["data"] = json!([])),
        ["nodes[4].data: must be an object"]
    );
}

#[test]
fn all_problems_of_a_node_are_found_at_once() {
    let data = json!({ "method": "BREW", "headers": { "Metadata-Flavor": "Google", "a b": "" },
        "timeoutSecs": 301, "retry": { "attempts": 11 }, "onError": "explode", "surprise": 1, "label": 2 });
    let expected = [
        "nodes[1].data.label: invalid type: integer `2`, expected a string",
        "nodes[1].data.retry.attempts: must be between 1 and 10",
        "nodes[1].data.timeoutSecs: must be between 1 and 300",
        "nodes[1].data.onError: unknown variant `explode`, expected one of `fail`, `continue`, `default`, `branch`",
        "nodes[1].data.method: unknown variant `BREW`, expected one of `GET`, `POST`, `PUT`, `PATCH`, `DELETE`, `HEAD`",
        "nodes[1].data.url: missing field",
        "nodes[1].data.headers.Metadata-Flavor: the header may not be set",
        "nodes[1].data.headers.a b: the header has a malformed name",
        "nodes[1].data.surprise: unknown field",
    ];
    assert_eq!(with_data(1, data), expected);
}

#[test]
fn problems_of_several_nodes_and_edges_are_found_at_once() {
    let problems = problems(|nodes, edges| {
        nodes[2]["data"]["expression"] = json!("1 +");
        nodes[3]["data"]["seconds"] = json!("soon");
        edges[3]["target"] = json!("nowhere");
        edges[4]["targetHandle"] = json!("left");
    });
    let fields: Vec<_> = problems
        .iter()
        .filter_map(|problem| problem.split_once(": "))
        .collect();
    let fields: Vec<_> = fields.iter().map(|(field, _)| *field).collect();
    let expected = [
        "nodes[2].data.expression",
        "nodes[3].data.seconds",
        "edges[3].target",
        "edges[4].targetHandle",
        "nodes[3]",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn every_kind_needs_its_fields() {
    let cases = [
        ("agent", vec!["agentId", "prompt"]),
        ("llm", vec!["prompt"]),
        ("http", vec!["method", "url"]),
        ("condition", vec!["expression"]),
        ("transform", vec!["value"]),
        ("wait", vec!["seconds"]),
    ];
    for (kind, fields) in cases {
        let nodes = [
            json!({ "id": "start", "type": "trigger" }),
            json!({ "id": "a", "type": kind }),
        ];
        let expected: Vec<_> = fields
            .iter()
            .map(|field| format!("nodes[1].data.{field}: missing field"))
            .collect();
        assert_eq!(
            found(&nodes, &[link("e", "start", "a")]),
            expected,
            "{kind}"
        );
    }
}

#[test]
fn every_kind_accepts_all_its_fields() {
    let cases = [
        (
            "agent",
            json!({ "agentId": "${trigger.agentId}", "prompt": "Hi ${trigger}", "maxTokens": 100 }),
        ),
        (
            "llm",
            json!({ "model": "m", "system": "s", "prompt": "p", "temperature": 2, "maxTokens": 1, "json": true }),
        ),
        (
            "http",
            json!({ "method": "POST", "url": "${trigger.url}", "headers": {}, "query": { "a": 1 }, "body": { "a": ["${trigger}"] } }),
        ),
        ("condition", json!({ "expression": "${trigger.ok}" })),
        ("transform", json!({ "value": null })),
        ("wait", json!({ "seconds": "${trigger.seconds}" })),
        ("output", json!({})),
    ];
    for (kind, data) in cases {
        let nodes = [
            json!({ "id": "start", "type": "trigger" }),
            json!({ "id": "a", "type": kind, "data": data }),
        ];
        assert_eq!(found(&nodes, &[link("e", "start", "a")]), [""; 0], "{kind}");
    }
}

#[test]
fn values_out_of_range_are_refused() {
    let llm = |name: &str, value: Value| {
        let nodes = [
            json!({ "id": "start", "type": "trigger" }),
            json!({ "id": "a", "type": "llm", "data": { "prompt": "p", name: value } }),
        ];
        found(&nodes, &[link("e", "start", "a")])
    };
    assert_eq!(
        llm("temperature", json!(2.1)),
        ["nodes[1].data.temperature: must be between 0 and 2"]
    );
    assert_eq!(
        llm("maxTokens", json!(0)),
        ["nodes[1].data.maxTokens: must be between 1 and 1000000"]
    );
    assert_eq!(
        llm("model", json!("")),
        ["nodes[1].data.model: must not be empty"]
    );
    assert_eq!(
        llm("prompt", json!("")),
        ["nodes[1].data.prompt: must not be empty"]
    );
    assert_eq!(
        llm("prompt", json!(1)),
        ["nodes[1].data.prompt: invalid type: integer `1`, expected a string"]
    );
    assert_eq!(
        llm("json", json!("yes")),
        ["nodes[1].data.json: invalid type: string \"yes\", expected a boolean"]
    );
    let wait = "nodes[3].data.seconds: must be a number of seconds, at most 2592000 (30 days)";
    assert_eq!(with_field(3, "seconds", json!(2_592_001)), [wait]);
    let retry = |retry: Value| with_field(3, "retry", retry);
    assert_eq!(
        retry(json!({ "attempts": 0 })),
        ["nodes[3].data.retry.attempts: must be between 1 and 10"]
    );
    assert_eq!(
        retry(json!({ "attempts": 2, "maxDelayMs": 300_001 })),
        ["nodes[3].data.retry.maxDelayMs: must be at most 300000"]
    );
    assert_eq!(
        retry(json!({ "attempts": 2, "firstDelayMs": 2, "maxDelayMs": 1 })),
        ["nodes[3].data.retry.firstDelayMs: must not be above maxDelayMs"]
    );
    assert_eq!(retry(json!({ "attempts": 2, "jitter": 1 })).len(), 1);
}

#[test]
fn a_literal_url_is_checked() {
    let url = |url: &str| with_field(1, "url", json!(url));
    assert_eq!(
        url("ftp://example.com"),
        ["nodes[1].data.url: the URL must begin with http:// or https://"]
    );
    assert_eq!(
        url("https://user:secret@example.com"),
        ["nodes[1].data.url: the URL must not hold a user name or password"]
    );
    assert_eq!(
        url("not a url"),
        ["nodes[1].data.url: the URL is malformed"]
    );
    assert_eq!(url("http://demo.localhost/"), [""; 0]);
}

#[test]
fn edges_connect_existing_nodes() {
    assert_eq!(
        problems(|_, edges| edges.push(link("e6", "ghost", "phantom"))),
        [
            "edges[5].source: there is no such node",
            "edges[5].target: there is no such node"
        ]
    );
    assert_eq!(
        problems(|_, edges| edges.push(link("e6", "pause", "pause")))[0],
        "edges[5].target: an edge cannot lead back to its node"
    );
    assert_eq!(
        problems(|_, edges| edges.push(link("e6", "start", "fetch"))),
        ["edges[5].target: another edge connects the same nodes"]
    );
    assert_eq!(
        problems(|_, edges| edges.push(link("e6", "fetch", "start"))),
        ["edges[5].target: nothing can lead to a trigger node"]
    );
    assert_eq!(
        problems(|_, edges| edges.push(link("e6", "done", "pause")))[0],
        "edges[5].source: nothing can follow an output node"
    );
    assert_eq!(
        problems(|_, edges| edges.push(json!({ "id": "e6" }))),
        [
            "edges[5].source: must be a string",
            "edges[5].target: must be a string"
        ]
    );
    assert_eq!(
        problems(|_, edges| edges.push(json!(1))),
        ["edges[5].id: must be a string of 1 to 256 bytes"]
    );
}

#[test]
fn handles_must_exist() {
    let handle =
        |edge: usize, handle: Value| problems(|_, edges| edges[edge]["sourceHandle"] = handle);
    assert_eq!(
        handle(2, json!("maybe"))[0],
        "edges[2].sourceHandle: must be one of `true`, `false`"
    );
    assert_eq!(
        handle(2, json!(null))[0],
        "edges[2].sourceHandle: must be one of `true`, `false`"
    );
    assert_eq!(
        handle(4, json!("error"))[0],
        "edges[4].sourceHandle: must be one of `out`"
    );
    assert_eq!(
        handle(4, json!(1))[0],
        "edges[4].sourceHandle: must be a string"
    );
    let target = problems(|_, edges| edges[4]["targetHandle"] = json!("left"));
    assert_eq!(target[0], "edges[4].targetHandle: must be `in` or absent");
}

#[test]
fn an_error_branch_has_its_handle_and_needs_an_edge() {
    let branch = |with_edge: bool| {
        problems(|nodes, edges| {
            nodes[3]["data"]["onError"] = json!("branch");
            nodes.push(json!({ "id": "rescue", "type": "output" }));
            let source = if with_edge { "error" } else { "out" };
            edges.push(json!({ "id": "e6", "source": "pause", "target": "rescue", "sourceHandle": source }));
        })
    };
    assert_eq!(branch(true), [""; 0]);
    assert_eq!(
        branch(false),
        ["nodes[3].data.onError: `branch` needs an edge from the handle `error`"]
    );
}

#[test]
fn a_cycle_is_named() {
    let problems = problems(|_, edges| edges.push(link("e6", "pause", "fetch")));
    assert_eq!(
        problems,
        ["edges: these nodes form a cycle: `check`, `fetch`, `pause`"]
    );
}

#[test]
fn an_unreachable_node_is_named() {
    let problems = problems(|nodes, edges| {
        nodes.push(json!({ "id": "island", "type": "transform", "data": { "value": 1 } }));
        edges.push(link("e6", "island", "done"));
    });
    assert_eq!(problems, ["nodes[5]: cannot be reached from the trigger"]);
}

#[test]
fn expressions_use_nodes_that_ran_before() {
    let value = |value: &str| with_field(4, "value", json!(value));
    assert_eq!(
        value("${nodes.ghost.output}"),
        ["nodes[4].data.value: there is no node `ghost`"]
    );
    assert_eq!(
        value("${nodes.done.output}"),
        ["nodes[4].data.value: node `done` does not run before this one"]
    );
    assert_eq!(
        value("${nodes.start.output.city} ${nodes.pause.output}"),
        [""; 0]
    );
    let header = with_field(1, "headers", json!({ "x-a": "${nodes.check.output}" }));
    assert_eq!(
        header,
        ["nodes[1].data.headers.x-a: node `check` does not run before this one"]
    );
    let condition = with_field(2, "expression", json!("nodes.pause.output == null"));
    assert_eq!(
        condition,
        ["nodes[2].data.expression: node `pause` does not run before this one"]
    );
}

#[test]
fn malformed_expressions_are_named() {
    let problems = with_field(4, "value", json!({ "a": "${secrets.key}" }));
    assert!(
        problems[0].starts_with("nodes[4].data.value: `secrets.key`: `secrets` is unknown"),
        "{problems:?}"
    );
}

#[test]
fn what_firestore_cannot_store_is_refused() {
    let nested = with_field(4, "value", json!({ "rows": [[1, 2]] }));
    assert_eq!(
        nested,
        ["nodes[4].data.value.rows[0]: Firestore cannot store an array directly in an array"]
    );
    let levels = |levels: usize| {
        let mut value = json!(1);
        for _ in 0..levels {
            value = json!({ "a": value });
        }
        with_field(4, "value", value)
    };
    assert_eq!(levels(17), [""; 0]);
    assert!(levels(18)[0].ends_with("nested deeper than Firestore can store (20 levels)"));
    let edge = problems(|_, edges| edges[0]["style"] = json!([[1]]));
    assert_eq!(
        edge[0],
        "edges[0].style[0]: Firestore cannot store an array directly in an array"
    );
}

#[test]
fn problems_name_their_node_or_edge() {
    let mut nodes = nodes();
    nodes[3]["data"] = json!({});
    let mut edges = edges();
    edges[2]["sourceHandle"] = json!("maybe");
    let problems = Graph::parse(&nodes, &edges).unwrap_err().problems;
    let json = serde_json::to_value(&problems).unwrap();
    let expected = json!([
        { "nodeId": "pause", "field": "nodes[3].data.seconds", "message": "missing field" },
        { "edgeId": "e3", "field": "edges[2].sourceHandle", "message": "must be one of `true`, `false`" },
    ]);
    assert_eq!(json, expected);
}

#[test]
fn any_json_is_parsed_or_refused() {
    let values = [
        json!(null),
        json!(1),
        json!("a"),
        json!([]),
        json!({}),
        json!({ "id": [] }),
        json!([[[]]]),
    ];
    for node in &values {
        for edge in &values {
            assert!(!found(from_ref(node), from_ref(edge)).is_empty());
        }
    }
}
