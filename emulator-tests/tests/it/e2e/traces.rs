//! Traces from the client's request to the model's provider, as a collector sees them.

use std::collections::{BTreeMap, BTreeSet};

use emulator_tests::{
    Harness, PROJECT_ID,
    client::{Client, http_client},
    stubs::collector::{Collected, Collector},
};
use reqwest::Method;
use serde_json::{Value, json};
use shared::{
    telemetry::{self, TRACE, Telemetry, TraceConfig},
    topic::{PubSub, SyncDue, Topic, TopicConfig},
};
use tracing::{
    Dispatch, Instrument,
    subscriber::{DefaultGuard, set_default},
};
use tracing_subscriber::layer::SubscriberExt;

use super::{
    PATIENCE, ended,
    processes::{free_port, service, terminate, wait_until_healthy},
    run, start, workflow_of,
};

/// What an outsider sends who wants its requests to be kept.
const OUTSIDE_TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const OUTSIDE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// What is asked of the model.
const PROMPT: &str = "Where does Ada hide the key?";

/// The product, all of whose spans of this test's thread go to a collector.
struct Traced {
    harness: Harness,
    client: Client,
    collector: Collector,
    telemetry: Telemetry,
    guard: DefaultGuard,
    /// Beside a single one in the process, `tracing` asks nobody but the subscriber of the thread that
    /// comes to a place first, and keeps the answer for all threads: that of a test without one is no.
    _second: Dispatch,
}

/// The spans of a test, by their ids.
struct Spans(BTreeMap<Vec<u8>, Collected>);

impl Traced {
    async fn start(ratio: f64) -> Self {
        let collector = Collector::start().await.unwrap();
        let config = TraceConfig {
            endpoint: collector.url().parse().unwrap(),
            ratio,
            service: "infinity-x".to_owned(),
            project_id: PROJECT_ID.to_owned(),
        };
        let (layer, telemetry) = telemetry::traces(&config).unwrap();
        let second = Dispatch::new(tracing_subscriber::registry());
        let guard = set_default(tracing_subscriber::registry().with(layer));
        let harness = start().await;
        let client = Client::sign_up(harness.endpoints()).await.unwrap();
        Self {
            harness,
            client,
            collector,
            telemetry,
            guard,
            _second: second,
        }
    }

    /// What the collector has after all else has ended.
    async fn stop(self) -> (Spans, Vec<Vec<u8>>) {
        self.harness.stop().await;
        drop(self.guard);
        flush(self.telemetry).await;
        let spans = self.collector.spans().into_iter();
        let spans = spans.map(|collected| (collected.span.span_id.clone(), collected));
        (Spans(spans.collect()), self.collector.bodies())
    }

    /// Triggers a workflow as an outsider who carries a trace, and waits for its end.
    async fn run_from_outside(&self, workflow: &Value) -> Value {
        let saved = self.client.post("/workflows", workflow).await.unwrap();
        let path = format!("/workflows/trigger/{}", saved["id"].as_str().unwrap());
        let request = self.client.request(Method::POST, &path);
        let request = request.header("traceparent", OUTSIDE);
        let body = json!({ "payload": { "address": self.client.email() } });
        let started = request.json(&body).send().await.unwrap();
        let started: Value = started.json().await.unwrap();
        let id = started["executionId"].as_str().unwrap();
        ended(&self.client, id).await.unwrap()
    }
}

impl Spans {
    fn named(&self, name: &str) -> Vec<&Collected> {
        let all = self.0.values();
        all.filter(|collected| collected.span.name == name)
            .collect()
    }

    /// The names from a span up to the root of its trace.
    fn chain(&self, collected: &Collected) -> Vec<&str> {
        let found = self.0.get(&collected.span.span_id);
        let mut chain = vec![found.unwrap().span.name.as_str()];
        let mut parent = &collected.span.parent_span_id;
        while !parent.is_empty() {
            let above = self.0.get(parent).expect("a span above is missing");
            assert_eq!(above.span.trace_id, collected.span.trace_id);
            chain.push(&above.span.name);
            parent = &above.span.parent_span_id;
        }
        chain
    }
}

/// The collector answers on this thread, which must not wait for it.
async fn flush(telemetry: Telemetry) {
    let flushed = tokio::task::spawn_blocking(move || telemetry.flush());
    flushed.await.unwrap();
}

fn traces<'s>(spans: impl Iterator<Item = &'s Collected>) -> BTreeSet<&'s [u8]> {
    spans.map(|collected| &*collected.span.trace_id).collect()
}

/// A workflow that waits, which takes it over the queue, and then asks a model.
fn patient_workflow() -> Value {
    let mut workflow = workflow_of(json!({ "id": "work", "type": "wait",
        "position": { "x": 0, "y": 0 }, "data": { "seconds": 1 } }));
    let ask = json!({ "id": "ask", "type": "llm", "position": { "x": 0, "y": 0 },
        "data": { "prompt": PROMPT } });
    workflow["nodes"].as_array_mut().unwrap().push(ask);
    workflow["edges"] = json!([
        { "id": "in", "source": "start", "target": "work" },
        { "id": "on", "source": "work", "target": "ask" },
        { "id": "out", "source": "ask", "target": "end" },
    ]);
    workflow
}

fn refused_node() -> Value {
    json!({ "id": "work", "type": "http", "position": { "x": 0, "y": 0 },
        "data": { "method": "GET", "url": "http://demo.localhost/v1/status/404" } })
}

#[tokio::test]
async fn a_run_is_one_trace_from_the_request_to_the_provider_across_the_queue() {
    let traced = Traced::start(1.0).await;
    let execution = traced.run_from_outside(&patient_workflow()).await;
    assert_eq!(execution["status"], "succeeded", "{execution}");
    let (email, endpoints) = (traced.client.email().to_owned(), traced.harness.endpoints());
    let provider = endpoints.llm_url.clone();
    let (spans, bodies) = traced.stop().await;

    let root = "POST /api/v1/workflows/trigger/{id}";
    let asked = spans.named("node llm")[0];
    let provided = spans.named("POST").into_iter();
    let provided = provided
        .filter(|sent| sent.span.trace_id == asked.span.trace_id)
        .collect::<Vec<_>>();
    assert_eq!(provided.len(), 1);
    let chain = spans.chain(provided[0]);
    let chat = spans.chain(asked);
    assert_eq!(
        chat[..4],
        [
            "node llm",
            "run",
            "POST /functions/execute-workflow/continue",
            "send task"
        ]
    );
    assert!(chain[1].starts_with("chat "), "{chain:?}");
    assert_eq!(chain[2..], chat);
    assert_eq!(chain.last(), Some(&root), "{chain:?}");
    let of_model = spans
        .0
        .values()
        .find(|span| span.span.name == chain[1])
        .unwrap();
    assert_eq!(of_model.text("gen_ai.provider.name"), Some("openai"));
    assert!(of_model.number("gen_ai.usage.output_tokens") > Some(0));
    assert!(provider.contains(provided[0].text("server.address").unwrap()));

    let begun = spans.named("process trigger");
    let begun = begun
        .iter()
        .find(|begun| begun.span.trace_id == asked.span.trace_id);
    assert_eq!(spans.chain(begun.unwrap()), ["process trigger", root]);
    for body in bodies {
        let body = String::from_utf8_lossy(&body).into_owned();
        assert!(!body.contains(PROMPT) && !body.contains(&email), "{body}");
    }
}

#[tokio::test]
async fn a_message_is_received_in_the_trace_of_its_publisher() {
    let traced = Traced::start(1.0).await;
    let topic = TopicConfig::load_optional(traced.harness.env(), "SYNC_TOPIC").unwrap();
    let topic = PubSub::new(topic.unwrap());
    let due = SyncDue {
        integration_id: "i1".parse().unwrap(),
        org_id: "o1".parse().unwrap(),
    };
    let span = tracing::info_span!(target: TRACE, "test");
    let published = topic.publish(vec![due.message().unwrap()]).instrument(span);
    published.await.unwrap();
    // Ticks come as well.
    let stub = traced.harness.topic().unwrap();
    let idle = stub.wait_for(|counts| counts.published > 0 && counts.is_idle());
    tokio::time::timeout(PATIENCE, idle).await.unwrap();
    let (spans, _) = traced.stop().await;
    let publisher = spans.named("test")[0];
    let received = spans.named("process message");
    let received = received
        .iter()
        .find(|received| received.span.trace_id == publisher.span.trace_id);
    let chain = spans.chain(received.unwrap());
    assert_eq!(chain, ["process message", "send messages", "test"]);
}

#[tokio::test]
async fn an_outsiders_trace_is_pointed_to_and_not_gone_on_with() {
    let traced = Traced::start(1.0).await;
    let request = traced.client.request(Method::GET, "/me");
    let request = request.header("traceparent", OUTSIDE);
    request.send().await.unwrap().error_for_status().unwrap();
    let (spans, _) = traced.stop().await;
    let served = &spans.named("GET /api/v1/me")[0].span;
    assert!(served.parent_span_id.is_empty());
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    assert_ne!(hex(&served.trace_id), OUTSIDE_TRACE);
    assert_eq!(hex(&served.links[0].trace_id), OUTSIDE_TRACE);
}

#[tokio::test]
async fn of_unsampled_traces_those_are_kept_in_which_something_fails() {
    let traced = Traced::start(0.0).await;
    let succeeded = traced.run_from_outside(&patient_workflow()).await;
    assert_eq!(succeeded["status"], "succeeded", "{succeeded}");
    let failed = run(&traced.client, &workflow_of(refused_node()), json!({})).await;
    let failed = failed.unwrap();
    assert_eq!(failed["status"], "failed", "{failed}");
    let (spans, _) = traced.stop().await;

    let runs = spans.named("run");
    let id = |collected: &Collected| collected.text("execution.id").map(str::to_owned);
    let kept: Vec<_> = runs.iter().map(|run| id(run).unwrap()).collect();
    assert_eq!(kept, [failed["id"].as_str().unwrap()]);
    let node = spans.named("node http")[0];
    assert!(node.has_failed() && runs[0].has_failed());
    assert_eq!(node.span.parent_span_id, runs[0].span.span_id);
    let failures = spans.0.values().filter(|span| span.has_failed());
    let (all, failed) = (traces(spans.0.values()), traces(failures));
    assert_eq!(
        all, failed,
        "what went well is forgotten, whatever an outsider asks for"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_ends_sends_its_last_spans() {
    let collector = Collector::start().await.unwrap();
    let port = free_port();
    let mut command = service("api");
    command
        .env("PORT", port.to_string())
        .env("OTEL_SERVICE_NAME", "api")
        .env("OTEL_TRACES_SAMPLER_ARG", "1")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url());
    let mut child = command.spawn().unwrap();
    wait_until_healthy(port).await;
    let url = format!("http://127.0.0.1:{port}/api/v1/me");
    http_client().unwrap().get(url).send().await.unwrap();
    terminate(&child);
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap());
    assert!(ended.await.unwrap().success());
    let told: Vec<_> = collector
        .spans()
        .into_iter()
        .map(|collected| (collected.service, collected.span.name))
        .collect();
    assert_eq!(told, [("api".to_owned(), "GET /api/v1/me".to_owned())]);
}
