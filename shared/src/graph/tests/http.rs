//! The settings of `http` nodes.

use serde_json::{Value, json};

use super::*;

/// The problems of an `http` node with these fields, without the path of its data.
fn problems(method: &str, data: Value) -> Vec<String> {
    let mut node = json!({ "id": "a", "type": "http", "data": data });
    node["data"]["method"] = json!(method);
    node["data"]["url"] = json!("https://api.example.com/");
    let nodes = [json!({ "id": "start", "type": "trigger" }), node];
    let edges = [json!({ "id": "e", "source": "start", "target": "a" })];
    let Err(invalid) = Graph::parse(&nodes, &edges) else {
        return Vec::new();
    };
    let problems = invalid.problems.iter();
    problems
        .map(|problem| {
            let field = problem.field.replace("nodes[1].data.", "");
            format!("{field}: {}", problem.message)
        })
        .collect()
}

fn is_valid(method: &str, data: Value) -> bool {
    problems(method, data).is_empty()
}

#[test]
fn a_request_has_one_body_at_most() {
    for body in [
        json!({ "body": null, "form": { "a": "${trigger.a}", "b": 1 } }),
        json!({ "bodyFrom": "${trigger.stored}" }),
        json!({ "body": { "a": 1 } }),
    ] {
        assert!(is_valid("POST", body));
    }
    let literal = json!({ "bodyFrom": "executions/o1/e1/a#0/body" });
    assert_eq!(
        problems("POST", literal),
        ["bodyFrom: must be an expression for a stored body"]
    );
    let both = json!({ "body": "a", "form": {} });
    assert_eq!(
        problems("POST", both),
        ["form: only one of `body`, `form` and `bodyFrom` may be given"]
    );
}

#[test]
fn credentials_are_complete_and_given_once() {
    let basic = json!({ "type": "basic", "username": "u", "password": "${trigger.p}" });
    let bearer = json!({ "type": "bearer", "token": "${trigger.token}" });
    assert!(is_valid("GET", json!({ "auth": basic })));
    assert!(is_valid("GET", json!({ "auth": bearer })));
    assert_eq!(
        problems("GET", json!({ "auth": { "type": "basic" } })),
        [
            "auth.username: missing field",
            "auth.password: missing field"
        ]
    );
    let foreign = json!({ "type": "bearer", "token": "t", "username": "u" });
    assert_eq!(
        problems("GET", json!({ "auth": foreign })),
        ["auth.username: unknown field"]
    );
    let twice = json!({ "auth": bearer, "headers": { "AUTHORIZATION": "Basic x" } });
    assert_eq!(
        problems("GET", twice),
        ["headers.AUTHORIZATION: `auth` sets this header"]
    );
    assert_eq!(
        problems("GET", json!({ "auth": { "type": "digest" } })).len(),
        1
    );
}

#[test]
fn formats_and_codes_are_known_ones() {
    for format in ["auto", "json", "text", "binary"] {
        assert!(is_valid("GET", json!({ "response": format })));
    }
    assert_eq!(problems("GET", json!({ "response": "xml" })).len(), 1);
    assert!(is_valid("GET", json!({ "successCodes": [200, 404] })));
    for codes in [json!([]), json!([199]), json!([600])] {
        assert_eq!(
            problems("GET", json!({ "successCodes": codes })),
            ["successCodes: must name status codes from 200 to 599"]
        );
    }
}

#[test]
fn pages_are_described_in_three_ways() {
    for pagination in [
        json!({ "type": "link_header", "items": "${response.body.rows}", "maxPages": 50 }),
        json!({ "type": "cursor", "next": "response.body.next", "parameter": "cursor" }),
        json!({ "type": "cursor", "next": "response.headers[\"x-next\"]" }),
        json!({ "type": "page", "parameter": "page", "start": 0, "items": "response.body" }),
    ] {
        let problems = problems("GET", json!({ "pagination": pagination }));
        assert_eq!(problems, [""; 0], "{pagination}");
    }
}

#[test]
fn pages_that_do_not_end_are_refused() {
    let refused = |pagination: Value| problems("GET", json!({ "pagination": pagination }));
    assert_eq!(
        refused(json!({ "type": "page", "parameter": "page" })),
        ["pagination.items: must tell when a page is empty"]
    );
    assert_eq!(
        refused(json!({ "type": "cursor" })),
        ["pagination.next: must be an expression over `response`"]
    );
    let nameless = json!({ "type": "cursor", "next": "response.body", "parameter": "" });
    assert_eq!(
        refused(nameless),
        ["pagination.parameter: must not be empty"]
    );
    for pages in [0, 51] {
        assert_eq!(
            refused(json!({ "type": "link_header", "maxPages": pages })),
            ["pagination.maxPages: must be between 1 and 50"]
        );
    }
    let page = json!({ "type": "link_header" });
    assert_eq!(
        problems("POST", json!({ "pagination": page })),
        ["pagination: only `GET` requests have pages"]
    );
    assert_eq!(
        problems("GET", json!({ "pagination": page, "response": "binary" })),
        ["pagination: binary answers have no pages"]
    );
}

#[test]
fn expressions_over_pages_know_the_response_only() {
    for source in [
        "nodes.start.output.next",
        "response.body.next + item",
        "answer.next",
        "response.body.",
    ] {
        let error = ResponseExpression::compile(source).unwrap_err().to_string();
        assert!(
            error.contains(source) && !error.contains("[trigger]"),
            "{error}"
        );
    }
    assert!(ResponseExpression::compile("response.body // The last one.").is_ok());
}

#[test]
fn a_path_that_an_answer_has_not_is_null() {
    let evaluate = |source: &str, body: Value| {
        let expression = ResponseExpression::compile(source).unwrap();
        expression.evaluate(200, json!({ "x-next": "h" }), body)
    };
    let body = json!({ "meta": { "next": 7 }, "rows": [1, 2] });
    assert_eq!(
        evaluate("response.body.meta.next", body.clone()).unwrap(),
        7
    );
    assert_eq!(
        evaluate("${response.headers['x-next']}", body.clone()).unwrap(),
        "h"
    );
    let rows = "response.body.rows.filter(row, row > 1)";
    assert_eq!(evaluate(rows, body.clone()).unwrap(), json!([2]));
    let status = "response.status == 200 ? 'ok' : 'no'";
    assert_eq!(evaluate(status, body).unwrap(), "ok");
    for body in [
        json!({}),
        json!({ "meta": {} }),
        json!({ "meta": { "next": null } }),
        json!({ "meta": null }),
        json!("text"),
        json!(null),
    ] {
        let next = evaluate("response.body.meta.next", body.clone());
        assert_eq!(next.unwrap(), Value::Null, "{body}");
    }
    let error = evaluate("response.body.a + 1", json!({ "a": "x" })).unwrap_err();
    assert!(
        error.to_string().starts_with("`response.body.a + 1`"),
        "{error}"
    );
}
