//! A collector of spans: takes OTLP over HTTP (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>)
//! and keeps them.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::post,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{Span, status::StatusCode as SpanStatus},
};
use prost::Message;

use crate::emulators::LocalServer;

/// A span as it came in.
#[derive(Clone, Debug)]
pub struct Collected {
    /// Who told it.
    pub service: String,
    /// The span.
    pub span: Span,
}

/// What has come in so far: spans, and the requests that brought them.
#[derive(Default)]
struct Kept {
    spans: Vec<Collected>,
    bodies: Vec<Vec<u8>>,
}

/// A running collector.
pub struct Collector {
    kept: Arc<Mutex<Kept>>,
    server: LocalServer,
}

impl Collector {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start() -> Result<Self> {
        let kept = Arc::<Mutex<Kept>>::default();
        let routes = Router::new()
            .route("/v1/traces", post(take))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&kept));
        let server = LocalServer::start("collector", 0, routes).await?;
        Ok(Self { kept, server })
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` names.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The spans so far.
    #[must_use]
    pub fn spans(&self) -> Vec<Collected> {
        self.lock().spans.clone()
    }

    /// The requests so far, as they came.
    #[must_use]
    pub fn bodies(&self) -> Vec<Vec<u8>> {
        self.lock().bodies.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collected {
    /// An attribute that is a text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.attribute(name)? {
            Value::StringValue(text) => Some(text),
            _ => None,
        }
    }

    /// An attribute that is a whole number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<i64> {
        match self.attribute(name)? {
            Value::IntValue(number) => Some(*number),
            _ => None,
        }
    }

    /// Whether it has failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        let status = self.span.status.as_ref();
        status.is_some_and(|status| status.code() == SpanStatus::Error)
    }

    fn attribute(&self, name: &str) -> Option<&Value> {
        find(&self.span.attributes, name)
    }
}

async fn take(State(kept): State<Arc<Mutex<Kept>>>, body: Bytes) -> Response {
    let Ok(request) = ExportTraceServiceRequest::decode(body.clone()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.bodies.push(body.to_vec());
    for resource_spans in request.resource_spans {
        let resource = resource_spans.resource.unwrap_or_default();
        let service = match find(&resource.attributes, "service.name") {
            Some(Value::StringValue(name)) => name.clone(),
            _ => String::new(),
        };
        let spans = resource_spans.scope_spans.into_iter();
        for span in spans.flat_map(|scope| scope.spans) {
            let service = service.clone();
            kept.spans.push(Collected { service, span });
        }
    }
    ([(CONTENT_TYPE, "application/x-protobuf")], Bytes::new()).into_response()
}

fn find<'a>(attributes: &'a [KeyValue], name: &str) -> Option<&'a Value> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?;
    let AnyValue { value } = found.value.as_ref()?;
    value.as_ref()
}
