use crate::{
    app::{Answer, TestApp, workflow_request},
    seeds,
    table::seeded_app,
};
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use serde_json::json;

fn text(answer: &Answer) -> &str {
    assert_eq!(answer.status, 200, "{}", answer.body);
    std::str::from_utf8(&answer.bytes).unwrap()
}

#[tokio::test]
async fn a_run_is_drawn_with_what_became_of_its_nodes() {
    let app = seeded_app().await;
    let svg = app.get("viewer", "/executions/ended/graph.svg").await;
    assert_eq!(svg.headers[CONTENT_TYPE], "image/svg+xml; charset=utf-8");
    let svg = text(&svg);
    let texts = texts(svg);
    for expected in [
        "Triage",
        "succeeded · 5 ms",
        "start",
        "end",
        "not run",
        "taken",
    ] {
        assert!(
            texts.iter().any(|text| text == expected),
            "{expected}: {texts:?}"
        );
    }
    let mermaid = app.get("viewer", "/executions/ended/graph.mmd").await;
    assert_eq!(mermaid.headers[CONTENT_TYPE], "text/plain; charset=utf-8");
    let mermaid = text(&mermaid);
    let start = "n0[\"start<br/>trigger<br/>succeeded · 5 ms\"]:::succeeded\n";
    assert!(mermaid.contains(start), "{mermaid}");
    assert!(mermaid.contains("n0 ==> n1\n"), "{mermaid}");
}

#[tokio::test]
async fn a_picture_may_run_no_script() {
    let app = seeded_app().await;
    let svg = app.get("viewer", "/workflows/w1/graph.svg").await;
    let policy = svg.headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
    for rule in [
        "script-src 'self'",
        "script-src-attr 'none'",
        "object-src 'none'",
    ] {
        assert!(policy.contains(rule), "{policy}");
    }
    assert_eq!(svg.headers["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn a_run_keeps_the_picture_of_its_version() {
    let app = seeded_app().await;
    let before = app.get("viewer", "/executions/ended/graph.mmd").await;
    let mut changed = workflow_request();
    changed["nodes"][1]["id"] = json!("other");
    changed["edges"][0]["target"] = json!("other");
    app.put("admin", "/workflows/w1", &changed).await;
    let after = app.get("viewer", "/executions/ended/graph.mmd").await;
    assert_eq!(text(&before), text(&after));
    let workflow = app.get("viewer", "/workflows/w1/graph.mmd").await;
    let expected = "flowchart LR\n    n0[\"start<br/>trigger\"]\n    n1[\"other<br/>output\"]\n    n0 --> n1\n";
    assert_eq!(text(&workflow), expected);
}

#[tokio::test]
async fn a_run_that_has_not_begun_is_drawn_on_its_workflow() {
    let app = TestApp::new().await;
    let writes = vec![seeds::workflow("w1"), seeds::trigger("queued")];
    app.store.commit(writes).await.unwrap();
    let svg = app.get("viewer", "/executions/queued/graph.svg").await;
    let texts = texts(text(&svg));
    assert_eq!(
        texts.iter().filter(|text| *text == "not run").count(),
        3,
        "{texts:?}"
    );
    let subtitle = "queued · 0 ms · started 2026-11-23T12:00:00Z";
    assert!(texts.iter().any(|text| text == subtitle), "{texts:?}");
}

#[tokio::test]
async fn a_run_that_was_cancelled_before_it_began_is_drawn_on_its_workflow() {
    let app = TestApp::new().await;
    let writes = vec![seeds::workflow("w1"), seeds::trigger("queued")];
    app.store.commit(writes).await.unwrap();
    let cancel = json!({ "status": "cancelled" });
    app.patch("admin", "/executions/queued", &cancel).await;
    let svg = app.get("viewer", "/executions/queued/graph.svg").await;
    let texts = texts(text(&svg));
    let subtitle = "cancelled · 0 ms · started 2026-11-23T12:00:00Z";
    assert!(texts.iter().any(|text| text == subtitle), "{texts:?}");
    assert!(texts.iter().any(|text| text == "not run"), "{texts:?}");
}

#[tokio::test]
async fn a_graph_that_cannot_run_is_drawn_as_far_as_it_goes() {
    let app = TestApp::new().await;
    let workflow = seeds::workflow_of(
        "w1",
        vec![
            json!({ "id": "a" }),
            json!({ "id": "a" }),
            json!({}),
            json!(1),
        ],
        vec![json!({ "source": "a", "target": "b" }), json!(null)],
    );
    app.store.commit(vec![workflow]).await.unwrap();
    let mermaid = app.get("viewer", "/workflows/w1/graph.mmd").await;
    assert_eq!(text(&mermaid), "flowchart LR\n    n0[\"a<br/>\"]\n");
    let svg = app.get("viewer", "/workflows/w1/graph.svg").await;
    assert_eq!(texts(text(&svg)), ["Triage", "", "", "a"]);
}

/// The texts that are shown, in the order of the document.
fn texts(svg: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(svg).unwrap();
    let shown = document
        .descendants()
        .filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "text")));
    shown
        .map(|node| node.text().unwrap_or_default().to_owned())
        .collect()
}
