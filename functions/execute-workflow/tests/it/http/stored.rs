//! Bodies that are kept in a bucket.

use shared::storage::Directory;
use tempfile::TempDir;
use wiremock::matchers::path;

use super::*;

const OBJECT: &str = "executions/o1/t1/call#0/body";
/// SHA-256 of the two bytes `ff 00`.
const SHA256: &str = "ea5dbf9596d187e9500f23e9a680109475341cf4e81f7e043f7d97152c10772f";

struct Artifacts {
    bucket: Arc<dyn Bucket>,
    _directory: TempDir,
}

impl Artifacts {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            bucket: Arc::new(Directory::new(directory.path())),
            _directory: directory,
        }
    }

    async fn web(&self, mocks: impl IntoIterator<Item = Mock>) -> Web {
        Web::with_artifacts(mocks, Some(self.bucket.clone())).await
    }

    async fn object(&self) -> Vec<u8> {
        self.bucket.read(OBJECT).await.unwrap().unwrap().into()
    }
}

fn binary() -> Mock {
    let answer = ResponseTemplate::new(200).set_body_raw([0xff, 0], "image/png");
    Mock::given(path("/")).respond_with(answer)
}

#[tokio::test]
async fn a_binary_body_is_kept_by_reference() {
    for format in ["auto", "binary"] {
        let artifacts = Artifacts::new();
        let web = artifacts.web([binary()]).await;
        let execution = web.run(json!({ "response": format })).await;
        let stored = json!({
            "object": OBJECT, "bytes": 2, "contentType": "image/png", "sha256": SHA256,
        });
        assert_eq!(output(&execution)["body"], json!({ "stored": stored }));
        assert_eq!(artifacts.object().await, [0xff, 0]);
    }
}

#[tokio::test]
async fn text_with_zero_bytes_is_binary() {
    let artifacts = Artifacts::new();
    let answer = ResponseTemplate::new(200).set_body_raw("a\0", "text/plain");
    let web = artifacts
        .web([Mock::given(any()).respond_with(answer)])
        .await;
    let execution = web.run(json!({})).await;
    assert_eq!(output(&execution)["body"]["stored"]["bytes"], 2);
}

#[tokio::test]
async fn text_is_binary_if_the_node_says_so() {
    let artifacts = Artifacts::new();
    let web = artifacts
        .web([Mock::given(any()).respond_with(text(200, "a"))])
        .await;
    let execution = web.run(json!({ "response": "binary" })).await;
    assert_eq!(output(&execution)["body"]["stored"]["bytes"], 1);
    assert_eq!(artifacts.object().await, b"a");
}

#[tokio::test]
async fn a_body_above_the_limit_of_an_output_is_kept_by_reference() {
    // An output ends at 256 KiB, its headers counted.
    for (length, is_stored) in [(200 * 1024, false), (256 * 1024, true), (3_000_000, true)] {
        let artifacts = Artifacts::new();
        let body = json!(["x".repeat(length)]);
        let answer = ResponseTemplate::new(200).set_body_json(&body);
        let web = artifacts
            .web([Mock::given(any()).respond_with(answer)])
            .await;
        let execution = web.run(json!({})).await;
        let output = output(&execution);
        assert_eq!(output["body"]["stored"].is_object(), is_stored, "{length}");
        if is_stored {
            assert_eq!(artifacts.object().await, body.to_string().into_bytes());
            assert_eq!(output["body"]["stored"]["contentType"], "application/json");
        }
    }
}

#[tokio::test]
async fn without_a_bucket_such_answers_fail_the_node() {
    let large = Mock::given(path("/")).respond_with(text(200, &"x".repeat(300_000)));
    for mock in [binary(), large] {
        let execution = Web::new([mock]).await.run(json!({})).await;
        let (code, message) = failure(&execution);
        assert_eq!(code, "limit_exceeded");
        assert!(message.contains("ARTIFACTS_BUCKET"), "{message}");
    }
}

#[tokio::test]
async fn an_answer_above_ten_megabytes_fails_the_node() {
    let artifacts = Artifacts::new();
    let large = text(200, &"x".repeat(10 * 1024 * 1024 + 1));
    let web = artifacts
        .web([Mock::given(any()).respond_with(large)])
        .await;
    let execution = web.run(json!({})).await;
    assert_eq!(failure(&execution).0, "limit_exceeded");
    assert_eq!(artifacts.bucket.read(OBJECT).await.unwrap(), None);
}

#[tokio::test]
async fn what_a_worker_before_has_kept_stays() {
    let artifacts = Artifacts::new();
    let first = &b"first"[..];
    artifacts.bucket.create(OBJECT, first.into()).await.unwrap();
    let web = artifacts.web([binary()]).await;
    let execution = web.run(json!({})).await;
    let stored = &output(&execution)["body"]["stored"];
    assert_eq!(stored["bytes"], 5);
    assert_ne!(stored["sha256"], SHA256);
    // Whatever the second answer says of itself.
    assert_eq!(stored["contentType"], "application/octet-stream");
    assert_eq!(artifacts.object().await, first);
}

#[tokio::test]
async fn items_that_are_too_large_together_are_kept_as_a_list() {
    let artifacts = Artifacts::new();
    let page = |number: u32| {
        let response = ResponseTemplate::new(200).set_body_json(json!(["x".repeat(150_000)]));
        let next = format!("</{}>; rel=next", number + 1);
        Mock::given(path(format!("/{number}"))).respond_with(response.insert_header("Link", next))
    };
    let web = artifacts.web([page(1), page(2)]).await;
    let pagination = json!({ "type": "link_header", "items": "response.body", "maxPages": 2 });
    let execution = web
        .run(json!({ "url": url("/1"), "pagination": pagination }))
        .await;
    let stored = &output(&execution)["items"]["stored"];
    assert_eq!(stored["contentType"], "application/json");
    let items: Vec<String> = serde_json::from_slice(&artifacts.object().await).unwrap();
    assert_eq!(items.len(), 2);
}

/// Runs trigger → `call` → `send`, which posts what the expression says.
async fn send(web: &Web, body_from: &str, payload: Value) -> Execution {
    let fetch = json!({ "method": "GET", "url": url("/") });
    let post = json!({ "method": "POST", "url": url("/sink"), "bodyFrom": body_from });
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("call", "http", fetch),
        node("send", "http", post),
    ]);
    let edges = json!([edge("start", "call"), edge("call", "send")]);
    web.app.save(nodes, edges).await;
    web.app.run(payload).await
}

fn sink() -> Mock {
    Mock::given(path("/sink")).respond_with(ResponseTemplate::new(200))
}

#[tokio::test]
async fn a_stored_body_is_sent_on() {
    let artifacts = Artifacts::new();
    let web = artifacts.web([binary(), sink()]).await;
    let execution = send(&web, "${nodes.call.output.body.stored}", json!({})).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded);
    let request = &web.requests().await[1];
    assert_eq!(request.body, [0xff, 0]);
    assert_eq!(header(request, "content-type"), "image/png");
}

#[tokio::test]
async fn nothing_of_another_run_is_sent() {
    let artifacts = Artifacts::new();
    let foreign = "executions/o2/t9/call#0/body";
    artifacts
        .bucket
        .create(foreign, "secret".into())
        .await
        .unwrap();
    for object in [
        foreign,
        "executions/o1/t9/call#0/body",
        "executions/o1/t1/../../o2/t9/call#0/body",
        "executions/o1/t1//etc/passwd",
        "executions/o1/t1/",
        "executions/o1/t1/other#0/body",
        "/etc/passwd",
        "",
    ] {
        let web = artifacts.web([binary(), sink()]).await;
        let stored = json!({ "object": object, "bytes": 6, "contentType": "a/b", "sha256": "" });
        let execution = send(&web, "${trigger.stored}", json!({ "stored": stored })).await;
        let error = execution.error.unwrap();
        assert_eq!(error.node_id.as_deref(), Some("send"), "{object}");
        assert_eq!(web.requests().await.len(), 1, "{object}");
    }
}
