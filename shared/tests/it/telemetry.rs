//! What is logged of requests, and which trace each line belongs to.

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Body, extract::Request, routing::get};
use http::StatusCode;
use regex::Regex;
use serde_json::Value;
use shared::{
    http::{Callers, EdgeConfig, edge},
    telemetry::{TRACE, TraceConfig, json_logs, log_filter, traceparent, traces},
};
use tower::ServiceExt;
use tracing::{info, info_span, subscriber::with_default};
use tracing_subscriber::{Layer, layer::SubscriberExt};

const METRICS: &str = include_str!("../../../terraform/modules/observability/metrics.tf");
const OUTSIDE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// What a service of ours has written, and what Google's front end makes of it beside.
const OWN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const OWN_REWRITTEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-0102030405060708-00";

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines that are logged meanwhile, where no collector takes the spans.
fn logged(work: impl FnOnce()) -> Vec<Value> {
    let config = TraceConfig {
        endpoint: "http://127.0.0.1:1".parse().unwrap(),
        ratio: 0.0,
        service: "test".to_owned(),
        project_id: "p-1".to_owned(),
    };
    let (layer, _telemetry) = traces(&config).unwrap();
    let lines = Lines::default();
    let writer = lines.clone();
    let logs = json_logs("p-1", move || writer.clone()).with_filter(log_filter("info"));
    let subscriber = tracing_subscriber::registry().with(layer).with(logs);
    with_default(subscriber, work);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Serves a request of an outsider whose handler tells the place in a trace that it has.
fn serve(callers: Callers) -> (Vec<Value>, String) {
    serve_with(callers, &[("traceparent", OUTSIDE)])
}

fn serve_with(callers: Callers, headers: &[(&str, &str)]) -> (Vec<Value>, String) {
    let routes = Router::new().route("/where", get(async || traceparent().unwrap_or_default()));
    let config = EdgeConfig {
        callers,
        ..EdgeConfig::default()
    };
    let app = edge(routes, &config);
    let mut told = String::new();
    let lines = logged(|| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().build();
        told = runtime.unwrap().block_on(async {
            let mut request = Request::builder().uri("/where");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let response = app.oneshot(request.body(Body::empty()).unwrap());
            let response = response.await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            let body = axum::body::to_bytes(response.into_body(), 100).await;
            String::from_utf8(body.unwrap().to_vec()).unwrap()
        });
    });
    (lines, told)
}

#[test]
fn a_line_names_its_trace_and_its_span() {
    let mut place = String::new();
    let lines = logged(|| {
        info!("outside");
        info_span!(target: TRACE, "work", secret = "in a span").in_scope(|| {
            place = traceparent().unwrap();
            info!("inside");
        });
    });
    let parts: Vec<&str> = place.split('-').collect();
    let [outside, inside] = lines.as_slice() else {
        panic!("{lines:?}");
    };
    let (trace, span) = (
        "logging.googleapis.com/trace",
        "logging.googleapis.com/spanId",
    );
    assert_eq!(outside.get(trace), None);
    assert_eq!(inside["message"], "inside");
    assert_eq!(inside[trace], format!("projects/p-1/traces/{}", parts[1]));
    assert_eq!(inside[span], parts[2]);
    assert!(!inside.to_string().contains("in a span"), "{inside}");
}

fn trace(place: &str) -> &str {
    place.split('-').nth(1).unwrap()
}

#[test]
fn only_our_own_callers_traces_are_gone_on_with() {
    let (_, own) = serve(Callers::Own);
    assert_eq!(trace(&own), trace(OUTSIDE));
    assert!(own.ends_with("-01"), "as the caller has decided");
    let (_, public) = serve(Callers::Public);
    assert_ne!(trace(&public), trace(OUTSIDE));
    assert!(
        public.ends_with("-00"),
        "as the ratio has decided: {public}"
    );
}

#[test]
fn what_a_service_of_ours_has_written_counts_before_what_the_front_end_writes() {
    let own = "x-infinity-x-traceparent";
    let both = [("traceparent", OWN_REWRITTEN), (own, OWN)];
    let (_, place) = serve_with(Callers::Own, &both);
    assert_eq!(trace(&place), trace(OWN));
    assert!(place.ends_with("-01"), "as we have decided: {place}");
    let (_, place) = serve_with(Callers::Own, &[("traceparent", OUTSIDE), (own, "nothing")]);
    assert_eq!(
        trace(&place),
        trace(OUTSIDE),
        "what is invalid is passed over"
    );
    let (_, place) = serve_with(Callers::Public, &[(own, OWN)]);
    assert_ne!(trace(&place), trace(OWN), "anybody can write it");
    assert!(place.ends_with("-00"), "as the ratio has decided: {place}");
}

#[test]
fn the_line_of_a_request_has_what_the_metrics_of_routes_read() {
    let (lines, _) = serve(Callers::Public);
    let line = lines
        .iter()
        .find(|line| line["message"] == "request served");
    let line = line.unwrap();
    let field = Regex::new(r"jsonPayload\.(\w+)").unwrap();
    let fields = field
        .captures_iter(METRICS)
        .map(|found| found[1].to_owned());
    let fields: BTreeSet<String> = fields.collect();
    assert_eq!(fields.len(), 5, "{fields:?}");
    for field in fields {
        assert!(line.get(&field).is_some(), "{field}: {line}");
    }
    assert!(METRICS.contains(r#"jsonPayload.message=\"request served\""#));
}
