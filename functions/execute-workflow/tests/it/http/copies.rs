//! Bodies that a rerun takes over: it has its own of them.

use shared::{store::executions, testing::MemoryBucket};
use wiremock::matchers::path;

use super::*;
use crate::{
    app::{branch, execution_id, org_id},
    reruns::repeat,
};

/// The run `t1`: `call` fetches a binary body for each of two items, `pick` hands the second on,
/// and after a wait `send` posts it.
async fn fetched() -> (Web, Arc<MemoryBucket>, Execution) {
    let bucket = Arc::new(MemoryBucket::new());
    let answer = |bytes: Vec<u8>| ResponseTemplate::new(200).set_body_raw(bytes, "image/png");
    let mocks = [
        Mock::given(path("/1")).respond_with(answer(vec![0xff, 0, 1])),
        Mock::given(path("/2")).respond_with(answer(vec![0xff, 0, 2])),
        Mock::given(path("/sink")).respond_with(ResponseTemplate::new(200)),
    ];
    let web = Web::with_artifacts(mocks, Some(bucket.clone())).await;
    let fetch = json!({ "method": "GET", "url": url("/${item}") });
    let post = json!({
        "method": "POST", "url": url("/sink"), "bodyFrom": "${nodes.pick.output}",
    });
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("each", "loop", json!({ "items": "${trigger.items}" })),
        node("call", "http", fetch),
        node(
            "pick",
            "transform",
            json!({ "value": "${nodes.each.output[1].body.stored}" })
        ),
        node("pause", "wait", json!({ "seconds": 60 })),
        node("send", "http", post),
    ]);
    let edges = json!([
        edge("start", "each"),
        branch("each", "each", "call"),
        branch("each", "done", "pick"),
        edge("pick", "pause"),
        edge("pause", "send"),
    ]);
    web.app.save(nodes, edges).await;
    web.app.run(json!({ "items": [1, 2] })).await;
    web.app.advance(60);
    web.app.drain().await;
    let first = web.app.execution().await;
    assert_eq!(
        first.status,
        ExecutionStatus::Succeeded,
        "{:?}",
        first.error
    );
    (web, bucket, first)
}

fn object(run: &str, item: usize) -> String {
    format!("executions/o1/{run}/call#0.{item}/body")
}

/// Deletes the first run as the API does.
async fn delete_first(web: &Web, bucket: &MemoryBucket) {
    let store = &web.app.store;
    for item in 0..2 {
        bucket.delete(&object("t1", item)).await.unwrap();
    }
    let (org_id, id) = (org_id(), execution_id());
    let deletions = store.list_journal_deletions(&org_id, &id).await.unwrap();
    store.commit(deletions).await.unwrap();
    let execution = store.find_execution(&org_id, &id).await.unwrap().unwrap();
    let deletion = executions::delete(&execution);
    store.commit(vec![deletion]).await.unwrap();
}

#[tokio::test]
async fn a_rerun_sends_its_own_copy_without_another_request() {
    let (web, bucket, first) = fetched().await;
    let before = web.requests().await.len();
    let execution = repeat(&web.app, &first, "send", None).await;
    assert_eq!(
        execution.status,
        ExecutionStatus::Succeeded,
        "{:?}",
        execution.error
    );
    let requests = web.requests().await.split_off(before);
    assert_eq!(requests.len(), 1, "only what is posted");
    assert_eq!(requests[0].body, [0xff, 0, 2]);
    let runs = ["t1", "t2"].into_iter();
    let objects = runs.flat_map(|run| [object(run, 0), object(run, 1)]);
    assert_eq!(bucket.names(), objects.collect::<Vec<_>>());
}

#[tokio::test]
async fn every_output_of_a_rerun_refers_to_its_own_objects() {
    let (web, _, first) = fetched().await;
    let execution = repeat(&web.app, &first, "send", None).await;
    let steps = web.app.store.list_steps(&org_id(), &execution.id).await;
    let steps = steps.unwrap();
    let text = serde_json::to_string(&steps).unwrap();
    assert!(!text.contains("executions/o1/t1/"), "{text}");
    let output = |node_id: &str| {
        let step = steps.iter().find(|step| step.node_id == node_id);
        step.unwrap().result.as_ref().unwrap().output.0.clone()
    };
    let objects = output("each");
    assert_eq!(objects[0]["body"]["stored"]["object"], object("t2", 0));
    assert_eq!(objects[1]["body"]["stored"]["object"], object("t2", 1));
    assert_eq!(output("pick")["object"], object("t2", 1));
}

#[tokio::test]
async fn a_rerun_goes_on_when_the_first_run_has_been_deleted_meanwhile() {
    let (web, bucket, first) = fetched().await;
    let waiting = repeat(&web.app, &first, "pause", None).await;
    assert_eq!(waiting.status, ExecutionStatus::Waiting);
    delete_first(&web, &bucket).await;
    web.app.advance(60);
    web.app.drain().await;
    let execution = web.app.execution_of("t2").await;
    assert_eq!(
        execution.status,
        ExecutionStatus::Succeeded,
        "{:?}",
        execution.error
    );
    let requests = web.requests().await;
    assert_eq!(requests.last().unwrap().body, [0xff, 0, 2]);
}

#[tokio::test]
async fn what_a_worker_before_a_crash_has_copied_is_found() {
    let (web, bucket, first) = fetched().await;
    bucket.put(&object("t2", 0), vec![0xff, 0, 1]);
    let execution = repeat(&web.app, &first, "send", None).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded);
    assert_eq!(bucket.names().len(), 4);
}

#[tokio::test]
async fn a_body_that_is_not_to_be_had_fails_the_rerun_and_says_why() {
    type Harm = fn(&MemoryBucket);
    let cases: [(&str, &str, Harm); 3] = [
        ("not_found", "it is gone", |bucket| {
            bucket.remove(&object("t1", 1));
        }),
        ("failed_precondition", "it is damaged", |bucket| {
            bucket.put(&object("t1", 1), "x");
        }),
        ("unavailable", "the bucket is unavailable", |bucket| {
            bucket.fail_all(true);
        }),
    ];
    for (code, reason, harm) in cases {
        let (web, bucket, first) = fetched().await;
        harm(&bucket);
        let before = web.requests().await.len();
        let execution = repeat(&web.app, &first, "send", None).await;
        let (found, message) = failure(&execution);
        assert_eq!(found, code);
        assert!(message.ends_with(reason), "{message}");
        let error = execution.error.as_ref().unwrap();
        assert_eq!(error.node_id.as_deref(), Some("call"));
        assert_eq!(web.requests().await.len(), before, "nothing is sent");
    }
}

#[tokio::test]
async fn what_is_fetched_again_is_not_copied() {
    let (web, bucket, first) = fetched().await;
    bucket.remove(&object("t1", 1));
    let before = web.requests().await.len();
    repeat(&web.app, &first, "call", Some("0.1")).await;
    let requests = web.requests().await.split_off(before);
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].url.path(), "/2");
    let objects = [object("t1", 0), object("t2", 0), object("t2", 1)];
    assert_eq!(bucket.names(), objects);
}
