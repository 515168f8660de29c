use serde_json::{Value, json};

use crate::{
    app::{TestApp, workflow_request},
    table::seeded_app,
};

/// An application with a workflow that branches, and the path that starts it.
async fn branching_app() -> (TestApp, String) {
    let app = TestApp::new().await;
    let mut body = workflow_request();
    let node = |id: &str, kind: &str, data: Value| json!({ "id": id, "type": kind, "data": data });
    body["nodes"] = json!([
        node("start", "trigger", json!({})),
        node("ask", "llm", json!({ "prompt": "x", "onError": "branch" })),
        node("is", "condition", json!({ "expression": "true" })),
        node("end", "output", json!({})),
    ]);
    let edge = |source: &str, handle: &str, target: &str| {
        let id = format!("{source}-{handle}");
        json!({ "id": id, "source": source, "sourceHandle": handle, "target": target })
    };
    body["edges"] = json!([
        edge("start", "out", "ask"),
        edge("ask", "out", "is"),
        edge("ask", "error", "end"),
        edge("is", "true", "end"),
    ]);
    let created = app.post("admin", "/workflows", &body).await;
    assert_eq!(created.status, 201, "{}", created.body);
    let id = created.body["id"].as_str().unwrap();
    let path = format!("/workflows/trigger/{id}");
    (app, path)
}

#[tokio::test]
async fn mocks_go_with_the_trigger() {
    let (app, path) = branching_app().await;
    let mocks = json!({
        "ask": { "output": { "text": [[1]] }, "handle": "error" },
        "is": { "handle": "false" },
        "end": { "output": null },
    });
    let started = app.post("user", &path, &json!({ "mocks": mocks })).await;
    assert_eq!(started.status, 202, "{}", started.body);
    let options = app.trigger_of(&started).await.options;
    let kept = options.mocks.unwrap().0;
    assert_eq!(kept["ask"], mocks["ask"]);
    assert_eq!(kept["is"], json!({ "output": null, "handle": "false" }));
    assert_eq!(options.rerun, None);
}

#[tokio::test]
async fn without_mocks_nothing_is_special() {
    let (app, path) = branching_app().await;
    for body in [json!({}), json!({ "mocks": {} })] {
        let started = app.post("user", &path, &body).await;
        assert!(app.trigger_of(&started).await.options.is_empty(), "{body}");
    }
}

#[tokio::test]
async fn what_a_node_cannot_come_to_is_refused_by_field() {
    let (app, path) = branching_app().await;
    let cases = [
        (json!({ "nobody": {} }), "mocks.nobody"),
        (json!({ "start": { "output": 1 } }), "mocks.start"),
        (json!({ "ask": { "handle": "true" } }), "mocks.ask.handle"),
        (json!({ "is": { "handle": "error" } }), "mocks.is.handle"),
        (json!({ "end": { "handle": "out" } }), "mocks.end.handle"),
        (json!({ "ask": { "outputs": 1 } }), "mocks.ask.outputs"),
        (json!({ "ask": [1, "out"] }), "mocks.ask"),
        (json!([]), "mocks"),
        (json!(null), "mocks"),
    ];
    let deep = (0..101).fold(json!(1), |value, _| json!([value]));
    let cases = cases.into_iter();
    let cases = cases.chain([(json!({ "ask": { "output": deep } }), "mocks.ask.output")]);
    for (mocks, field) in cases {
        let body = json!({ "mocks": mocks });
        let refused = app.post("user", &path, &body).await;
        assert_eq!(refused.refusal(), (400, "invalid_argument"), "{mocks}");
        assert_eq!(refused.fields(), [field], "{mocks}");
    }
    assert_eq!(app.db.count("triggers"), 0);
}

#[tokio::test]
async fn payload_and_mocks_share_one_limit() {
    let app = seeded_app().await;
    let body = |payload: usize, output: usize| {
        let mock = json!({ "output": "x".repeat(output) });
        json!({ "workflowId": "w1", "payload": "x".repeat(payload), "mocks": { "end": mock } })
    };
    // `{"end":{"output":""}}` has 21 bytes, `""` two.
    let most = app
        .post("admin", "/executions", &body(100_000, 155_977))
        .await;
    assert_eq!(most.status, 202, "{}", most.body);
    for (payload, output, field) in [
        (100_000, 155_978, "mocks"),
        (0, 255_980, "mocks"),
        (255_999, 0, "payload"),
    ] {
        let refused = app
            .post("admin", "/executions", &body(payload, output))
            .await;
        assert_eq!(refused.refusal(), (400, "invalid_argument"));
        assert_eq!(refused.fields(), [field]);
    }
}

#[tokio::test]
async fn mocks_are_part_of_what_a_key_stands_for() {
    let app = seeded_app().await;
    let body = |output: i64| {
        let mock = json!({ "output": output });
        json!({ "workflowId": "w1", "mocks": { "end": mock } })
    };
    let first = app.post_once("k1", "/executions", &body(1)).await;
    let repeat = app.post_once("k1", "/executions", &body(1)).await;
    assert_eq!((repeat.status, &repeat.body), (first.status, &first.body));
    let without = json!({ "workflowId": "w1" });
    for other in [body(2), without.clone()] {
        let refused = app.post_once("k1", "/executions", &other).await;
        assert_eq!(refused.refusal(), (409, "already_exists"), "{other}");
    }
    crate::idempotency::expire_answers(&app).await;
    for other in [body(2), without] {
        let refused = app.post_once("k1", "/executions", &other).await;
        assert_eq!(refused.refusal(), (409, "already_exists"), "{other}");
    }
    let repeat = app.post_once("k1", "/executions", &body(1)).await;
    assert_eq!((repeat.status, &repeat.body), (first.status, &first.body));
}
