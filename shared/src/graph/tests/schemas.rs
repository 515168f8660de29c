use std::collections::BTreeSet;

use jsonschema::Validator;

use super::*;
use crate::{
    actions::{Action, Effect, Field, FieldKind},
    inputs::Condition,
};

/// For each kind, data with every field, so that no field escapes.
fn complete() -> Vec<(NodeKind, Value)> {
    let limits =
        json!({ "maxSteps": 10, "maxSeconds": 60, "maxTokens": 100, "maxCostMicroUsd": 5 });
    let kinds = [
        json!({ "fields": { "city": "string" }, "settings": { "limits": limits, "concurrency": 2,
            "debounceSecs": 3, "errorWorkflowId": "w-1" } }),
        json!({ "agentId": "a", "prompt": "${trigger.text}", "session": "${trigger.from}",
            "maxTokens": 10 }),
        json!({ "model": "m", "system": "s", "prompt": "p", "temperature": 1.5, "maxTokens": 5,
            "json": true }),
        json!({ "method": "POST", "url": "https://example.com/${trigger.x}", "headers": { "x": "a" },
            "query": { "q": ["${trigger.x}"] }, "body": { "a": 1 } }),
        json!({ "query": "about ${trigger.x}", "limit": 5 }),
        json!({ "expression": "trigger.x == 1" }),
        json!({ "cases": [{ "handle": "a", "when": "trigger.x == 1" },
            { "handle": "b", "when": "trigger.x == 2" }] }),
        json!({ "items": "${trigger.items}", "maxItems": 5, "parallelism": 2, "onItemError": "continue" }),
        json!({ "mode": "all" }),
        json!({ "value": { "a": "${trigger.x}" } }),
        json!({ "seconds": 5 }),
        json!({ "message": "?", "fields": { "amount": "number" }, "roles": ["admin", "user"],
            "required": 2, "allowSelf": true, "expiresAfterSecs": 60 }),
        json!({ "workflowId": "w", "payload": { "a": 1 }, "limits": limits }),
        json!({ "value": "${trigger}" }),
    ];
    let policy = json!({ "label": "A", "description": "d", "ui": { "color": "red" },
        "timeoutSecs": 20, "onError": { "default": { "a": 1 } } });
    let retry = json!({ "attempts": 3, "firstDelayMs": 0, "maxDelayMs": 1000 });
    let mut complete = Vec::new();
    let actions = actions().map(action_data);
    for (kind, mut data) in NodeKind::all().zip(kinds.into_iter().chain(actions)) {
        let fields = data.as_object_mut().unwrap();
        fields.extend(policy.as_object().unwrap().clone());
        let (mut once, mut again) = (data.clone(), data);
        again["retry"] = retry.clone();
        if kind.is_done_once() {
            again["atMostOnce"] = json!(false);
        }
        once["atMostOnce"] = json!(true);
        complete.push((kind, again));
        if kind.has_effect() {
            complete.push((kind, once));
        }
    }
    complete.extend(requests().map(|data| (NodeKind::Http, data)));
    complete
}

fn actions() -> impl Iterator<Item = &'static Action> {
    NodeKind::all().filter_map(|kind| match kind {
        NodeKind::Action(action) => Some(action),
        _ => None,
    })
}

fn action_data(action: &Action) -> Value {
    let fields = action.fields.iter();
    let mut data: Value = fields
        .map(|field| (field.name.to_owned(), sample(field)))
        .collect();
    data["integration"] = json!("i-${trigger.x}");
    if action.asks_first {
        data["approval"] = json!("none");
        data["approvers"] = json!({ "roles": ["admin", "user"], "required": 2, "allowSelf": true,
            "expiresAfterSecs": 60 });
    }
    data
}

fn sample(field: &Field) -> Value {
    match field.kind {
        FieldKind::Text => json!("a ${trigger.x}"),
        FieldKind::Texts => json!(["a", "${trigger.x}"]),
        FieldKind::Flag => json!(true),
        FieldKind::Integer { least, .. } => json!(least),
        FieldKind::Choice(words) => json!(words[0]),
        FieldKind::Instant => json!("2026-11-23T12:00:00.5+01:00"),
        FieldKind::Any => json!({ "a": "${trigger.x}" }),
    }
}

/// The fields of requests that are not together in one.
fn requests() -> impl Iterator<Item = Value> {
    let basic = json!({ "type": "basic", "username": "${trigger.x}", "password": "p" });
    let bearer = json!({ "type": "bearer", "token": "t" });
    let rows = "response.body.rows";
    let requests = [
        json!({ "method": "POST", "form": { "a": "${trigger.x}" }, "auth": basic,
            "response": "binary", "successCodes": [200, 404] }),
        json!({ "method": "PUT", "bodyFrom": "${trigger.x}", "auth": bearer }),
        json!({ "method": "GET", "response": "json",
            "pagination": { "type": "link_header", "items": rows, "maxPages": 20 } }),
        json!({ "method": "GET", "pagination": { "type": "cursor", "next": "response.body.next",
            "parameter": "after", "items": rows, "maxPages": 20 } }),
        json!({ "method": "GET", "pagination": { "type": "page", "parameter": "page", "start": 0,
            "items": rows, "maxPages": 20 } }),
    ];
    requests.into_iter().map(|mut request| {
        request["url"] = json!("https://example.com/");
        request
    })
}

/// All words with a meaning, and some without.
const WORDS: &str = "
    admin all any auto basic bearer binary branch continue cursor default error fail first
    link_header page text user GET HEAD PATCH PUT DELETE array boolean object string number true 5 ä
    .. __a__ ${trigger.x} https://example.com
";

/// Around every limit.
const NUMBERS: &str = "
    -1 0 1 2 10 11 20 21 50 59 60 100 101 300 301 1000 1001 3600 3601 86400 86401 300000 300001
    1000000 1000001 2592000 2592001 10000000 10000001 1000000000 1000000001 10000000000 0.5 2.5
";

/// What is put in the place of each value.
fn values() -> Vec<Value> {
    let others = json!([
        null, true, false, "", " ", "a b", [], {}, [1], ["admin"], ["user", "user"], { "a": 1 },
        { "a": "number" }, { "default": null }, { "attempts": 1 },
        [{ "handle": "a", "when": "true" }], "x".repeat(64), "x".repeat(129),
    ]);
    let words = WORDS.split_whitespace().map(Value::from);
    let numbers = NUMBERS
        .split_whitespace()
        .map(|it| serde_json::from_str(it).unwrap());
    let others = others.as_array().unwrap().iter().cloned();
    words.chain(numbers).chain(others).collect()
}

/// Whether the graph takes the data: edges and what is before the node aside.
fn is_parsed(kind: NodeKind, data: &Value) -> bool {
    let mut nodes = vec![node("a", kind.as_str(), data.clone())];
    if kind != NodeKind::Trigger {
        nodes.push(node("start", "trigger", json!({})));
    }
    let is_of_data = |problem: &Problem| problem.field.starts_with("nodes[0].data");
    match Graph::parse(&nodes, &links(&["start > a"])) {
        Ok(_) => true,
        Err(invalid) => !invalid.problems.iter().any(is_of_data),
    }
}

fn validator(kind: NodeKind) -> Validator {
    let schema = catalogue()
        .into_iter()
        .find(|schema| schema.kind == kind)
        .unwrap();
    jsonschema::validator_for(&schema.data).unwrap()
}

/// The JSON pointers of everything in a value.
fn pointers(value: &Value, at: &str) -> Vec<String> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(entries) => entries.iter().map(|(key, it)| (key.clone(), it)).collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(n, it)| (n.to_string(), it))
            .collect(),
        _ => Vec::new(),
    };
    let inner = inner.into_iter().flat_map(|(key, value)| {
        let at = format!("{at}/{key}");
        [vec![at.clone()], pointers(value, &at)].concat()
    });
    inner.collect()
}

fn without(data: &Value, pointer: &str) -> Value {
    let mut data = data.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match data.pointer_mut(parent).unwrap() {
        Value::Object(entries) => drop(entries.remove(key)),
        Value::Array(items) => drop(items.remove(key.parse().unwrap())),
        other => panic!("{other}"),
    }
    data
}

fn with(data: &Value, pointer: &str, value: Value) -> Value {
    let mut data = data.clone();
    *data.pointer_mut(pointer).unwrap() = value;
    data
}

/// What the graph refuses and no schema can tell: the data, and where in it.
fn inexpressible() -> Vec<(NodeKind, &'static str, Value)> {
    let a = || json!({ "handle": "a", "when": "true" });
    vec![
        (NodeKind::Transform, "/value", json!("${1 +}")),
        (
            NodeKind::Transform,
            "/value",
            json!("${nodes.ghost.output}"),
        ),
        (NodeKind::Transform, "/value", json!("${item}")),
        (NodeKind::Transform, "/value", json!({ "rows": [[1]] })),
        (NodeKind::Condition, "/expression", json!("secret")),
        (NodeKind::Switch, "/cases", json!([a(), a()])),
        (NodeKind::Http, "/url", json!("true")),
        (NodeKind::Http, "/headers", json!({ "host": "a" })),
        (NodeKind::Http, "/body", json!("${1 +}")),
        (NodeKind::Wait, "/seconds", json!("2592001")),
        (
            NodeKind::Wait,
            "/retry",
            json!({ "attempts": 2, "firstDelayMs": 6, "maxDelayMs": 5 }),
        ),
        (
            NodeKind::Wait,
            "/retry",
            json!({ "attempts": 2, "firstDelayMs": 30_001 }),
        ),
        (NodeKind::Wait, "/onError", json!("branch")),
        (NodeKind::Loop, "/items", json!("$${escaped}")),
        // For JSON Schema, this is an integer.
        (NodeKind::Loop, "/maxItems", json!(5.0)),
        (action("google.gmail.search"), "/limit", json!(5.0)),
        (
            action("google.gmail.search"),
            "/limit",
            json!("$${escaped}"),
        ),
        (
            action("google.calendar.freebusy"),
            "/from",
            json!("2026-02-30T12:00:00Z"),
        ),
    ]
}

fn action(name: &str) -> NodeKind {
    NodeKind::parse(name).unwrap()
}

/// Generated cases of the above.
fn is_inexpressible(pointer: &str, value: &Value) -> bool {
    match pointer {
        "/url" => value
            .as_str()
            .is_some_and(|url| !url.is_empty() && !url.contains(':')),
        "/onError" => value == "branch",
        "/expression" | "/cases/0/when" | "/cases/1/when" => value
            .as_str()
            .is_some_and(|text| Condition::compile(text).is_err() && !text.is_empty()),
        "/cases/0/handle" => value == "b",
        "/pagination/items" | "/pagination/next" => value
            .as_str()
            .is_some_and(|text| ResponseExpression::compile(text).is_err() && !text.is_empty()),
        "/retry/firstDelayMs" => value.as_u64().is_some_and(|it| it > 1000),
        "/query/q/0" => value.is_array(),
        _ => false,
    }
}

/// What is read alike for all kinds: comparing it for the others is enough.
fn is_of_every_node(pointer: &str) -> bool {
    let shared = ["/label", "/description", "/ui", "/timeoutSecs", "/onError"];
    pointer.starts_with("/retry/") || shared.iter().any(|name| pointer.starts_with(name))
}

#[test]
fn every_kind_is_in_the_catalogue() {
    let kinds: Vec<_> = catalogue().into_iter().map(|schema| schema.kind).collect();
    assert_eq!(kinds, NodeKind::all().collect::<Vec<_>>());
    let json = serde_json::to_value(catalogue()).unwrap();
    let condition = json
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["kind"] == "condition")
        .unwrap();
    assert_eq!(condition["handles"], json!(["true", "false"]));
    assert_eq!(condition["targetHandles"], json!(["in"]));
    assert_eq!(condition["title"], "Condition");
    let expression = &condition["data"]["properties"]["expression"];
    assert_eq!(expression["x-expression"], true);
}

#[test]
fn schemas_are_schemas() {
    for schema in catalogue() {
        assert!(
            jsonschema::meta::is_valid(&schema.data),
            "{:?}",
            schema.kind
        );
    }
}

#[test]
fn samples_have_every_field_of_their_schema() {
    fn names(schema: &Value, at: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let at = format!("{at}/{name}");
            found.extend(names(field, &at));
            found.extend(names(&field["items"], &format!("{at}/0")));
            found.insert(at);
        }
        found
    }
    for kind in NodeKind::all() {
        let samples = complete().into_iter().filter(|(of, _)| *of == kind);
        let sampled: BTreeSet<_> = samples.flat_map(|(_, data)| pointers(&data, "")).collect();
        let schema = catalogue()
            .into_iter()
            .find(|schema| schema.kind == kind)
            .unwrap();
        let missing: Vec<_> = names(&schema.data, "")
            .difference(&sampled)
            .cloned()
            .collect();
        assert!(missing.is_empty(), "{kind:?} {missing:?}");
    }
}

#[test]
fn schemas_and_graphs_accept_the_same_data() {
    let (mut compared, mut different) = (0, Vec::new());
    for (kind, data) in complete() {
        let validator = validator(kind);
        let mut compare = |data: &Value, about: &str| {
            let (schema, graph) = (validator.is_valid(data), is_parsed(kind, data));
            if schema != graph {
                different.push(format!("{kind:?} {about} {data}, by the schema: {schema}"));
            }
            compared += 1;
        };
        assert!(validator.is_valid(&data), "{kind:?}");
        compare(&data, "as it is");
        let mut more = data.clone();
        more["surprise"] = json!(1);
        compare(&more, "with an unknown field");
        for pointer in pointers(&data, "") {
            if matches!(kind, NodeKind::Action(_)) && is_of_every_node(&pointer) {
                continue;
            }
            compare(&without(&data, &pointer), &pointer);
            for value in values() {
                if !is_inexpressible(&pointer, &value) {
                    compare(&with(&data, &pointer, value), &pointer);
                }
            }
        }
    }
    assert!(different.is_empty(), "{different:#?}");
    assert!(compared > 10_000, "{compared}");
}

#[test]
fn what_no_schema_can_tell_is_left_to_the_graph() {
    for (kind, pointer, value) in inexpressible() {
        let (_, data) = complete().into_iter().find(|(of, _)| *of == kind).unwrap();
        let data = with(&data, pointer, value);
        assert!(validator(kind).is_valid(&data), "{kind:?} {data}");
        assert!(!is_parsed(kind, &data), "{kind:?} {data}");
    }
}

#[test]
fn an_effect_at_most_once_is_not_retried() {
    let data = json!({ "prompt": "p", "atMostOnce": true, "retry": { "attempts": 2 } });
    assert!(!validator(NodeKind::Llm).is_valid(&data));
    assert!(!is_parsed(NodeKind::Llm, &data));
}

#[test]
fn a_canvas_can_tell_what_an_action_needs() {
    let node = serde_json::to_value(catalogue()).unwrap();
    let mut nodes = node.as_array().unwrap().iter();
    let send = nodes.find(|it| it["kind"] == "google.gmail.send").unwrap();
    assert_eq!(send["title"], "Send a mail");
    assert_eq!(send["handles"], json!(["out"]));
    let data = &send["data"];
    assert_eq!(data["x-service"], "google");
    let scopes = json!([
        ["https://www.googleapis.com/auth/gmail.send"],
        ["https://www.googleapis.com/auth/gmail.readonly"],
    ]);
    assert_eq!(data["x-scopes"], scopes);
    assert_eq!(data["required"], json!(["to", "subject", "text"]));
    assert_eq!(data["properties"]["approval"]["default"], "required");
    assert_eq!(data["properties"]["to"]["x-expression"], true);
}

#[test]
fn an_action_that_acts_again_is_retried_only_when_that_is_meant() {
    let retry = json!({ "attempts": 2 });
    for action in actions() {
        let kind = NodeKind::Action(action);
        let mut data = action_data(action);
        data["retry"] = retry.clone();
        let is_retried = action.effect != Effect::Once;
        assert_eq!(is_parsed(kind, &data), is_retried, "{}", action.name);
        assert_eq!(
            validator(kind).is_valid(&data),
            is_retried,
            "{}",
            action.name
        );
    }
}
