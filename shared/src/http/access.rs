//! What is told of each request: a line of the log, and a span.

use ::http::{Method, StatusCode};
use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use tracing::{Instrument, Span, field::Empty};

use super::layers::REQUEST_ID;
use crate::telemetry::{OWN_TRACEPARENT, TRACE, TRACEPARENT, fail, join, link};

/// Whose word on traces counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Callers {
    /// Anybody: a request begins a trace of its own, which points to the caller's. Nobody outside
    /// decides what is kept, or writes into traces of others: our own header is not read.
    #[default]
    Public,
    /// Google's services on our behalf, by Cloud Run's own check: a request goes on with the trace
    /// that it carries in our own header, or else in the standard one.
    Own,
}

/// The route, not the path: an id in it may be a person's. The query may hold secrets.
pub(super) async fn log_access(callers: Callers, request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>();
    let path = matched.map_or("", MatchedPath::as_str).to_owned();
    if path == "/healthz" {
        return next.run(request).await;
    }
    let span = span_of(callers, &path, &request);
    serve(path, request, next).instrument(span).await
}

async fn serve(path: String, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let request_id = request.headers().get(REQUEST_ID).cloned();
    let started = std::time::Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let request_id = request_id
        .as_ref()
        .and_then(|id| id.to_str().ok())
        .unwrap_or_default();
    tracing::info!(%method, path, status, duration_ms, request.id = request_id, "request served");
    tell(response.status());
    response
}

fn span_of(callers: Callers, path: &str, request: &Request) -> Span {
    let method = name_of(request.method());
    let span = tracing::info_span!(
        target: TRACE,
        parent: None,
        "request",
        otel.name = format!("{method} {path}"),
        otel.kind = "server",
        http.request.method = method,
        http.route = path,
        http.response.status_code = Empty,
    );
    let header = |name| request.headers().get(name)?.to_str().ok();
    match callers {
        Callers::Public => link(span, header(TRACEPARENT)),
        Callers::Own => {
            let carried = [OWN_TRACEPARENT, TRACEPARENT].map(header);
            join(span, carried.into_iter().flatten())
        }
    }
}

fn tell(status: StatusCode) {
    let span = Span::current();
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        fail(&span, status.as_str());
    }
}

/// Callers may make up methods
/// (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server>).
fn name_of(method: &Method) -> &str {
    let known = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
    ];
    match known.contains(method) {
        true => method.as_str(),
        false => "_OTHER",
    }
}
