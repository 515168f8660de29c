//! Logs and traces. Logs: one JSON object a line for Cloud Logging, or text for a person. Traces:
//! spans for a collector, if there is one.

mod collector;
mod config;
mod correlation;
mod keep_errors;
mod sampler;
mod span;

use std::time::Duration;

use opentelemetry::{
    KeyValue,
    trace::{Status, TraceContextExt, TracerProvider},
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchSpanProcessor, SdkTracerProvider},
};
use tracing::{Event, Level, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::filter_fn,
    fmt::MakeWriter,
    layer::{Context, SubscriberExt},
    util::SubscriberInitExt,
};

use self::{collector::Collector, keep_errors::KeepErrors, sampler::RatioOfRoots};
pub use self::{
    config::TraceConfig,
    correlation::TraceFields,
    span::{OWN_TRACEPARENT, TRACE, TRACEPARENT, fail, join, link, traceparent},
};
use crate::config::{Env, ServiceConfig};

/// What is logged unless `LOG_FILTER` says otherwise.
const DEFAULT_FILTER: &str = "info,firestore=warn,h2=warn,hyper=warn,tower_http=info";

/// Longest time for one batch of spans.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(3);

/// What is left of Cloud Run's 10 s when all else has ended.
const LAST_EXPORT: Duration = Duration::from_secs(1);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A part of what hears spans, right above the registry.
pub type SpanLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Why traces cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A variable is invalid.
    #[error(transparent)]
    Config(#[from] crate::config::Error),
    /// What sends spans cannot be built.
    #[error("spans cannot be exported")]
    Exporter(#[source] BoxError),
}

/// What sends spans. It sends those that are still here when it is dropped, for at most a second.
#[derive(Debug, Default)]
#[must_use = "spans that are not sent yet are lost without it"]
pub struct Telemetry(Option<SdkTracerProvider>);

/// Starts logging for this process, and traces if `OTEL_EXPORTER_OTLP_ENDPOINT` is set. `LOG_FILTER`
/// takes `tracing` directives.
///
/// # Errors
/// Returns the variable that is invalid, or why spans cannot be exported.
pub fn init(env: &Env, config: &ServiceConfig) -> Result<Telemetry, Error> {
    let (traces, telemetry) = match TraceConfig::load(env, &config.project_id)? {
        Some(config) => {
            let (layer, telemetry) = traces(&config)?;
            (Some(layer), telemetry)
        }
        None => (None, Telemetry::default()),
    };
    let directives = env.optional("LOG_FILTER").unwrap_or(DEFAULT_FILTER);
    let logs = match config.json_logs {
        true => json_logs(&config.project_id, std::io::stdout),
        false => tracing_subscriber::fmt::layer().with_target(false).boxed(),
    };
    // A second call in one process keeps the first subscriber: tests start several functions.
    let _ = tracing_subscriber::registry()
        .with(traces)
        .with(logs.with_filter(log_filter(directives)))
        .try_init();
    Ok(telemetry)
}

/// What a log tells: spans of traces are not for it.
#[must_use]
pub fn log_filter(directives: &str) -> EnvFilter {
    EnvFilter::new(format!("{directives},{TRACE}=off"))
}

/// Lines for Cloud Logging, each with the trace that it belongs to.
pub fn json_logs<S, W>(project_id: &str, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let writer = TraceFields::new(project_id, writer);
    tracing_stackdriver::layer().with_writer(writer).boxed()
}

/// Sends spans to a collector.
///
/// # Errors
/// Returns [`Error::Exporter`].
pub fn traces(config: &TraceConfig) -> Result<(Vec<SpanLayer>, Telemetry), Error> {
    let exporter = |error: BoxError| Error::Exporter(error);
    let collector = Collector::new(config, EXPORT_TIMEOUT).map_err(exporter)?;
    let spans = SpanExporter::builder()
        .with_http()
        .with_http_client(collector)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(config.traces_url())
        .with_timeout(EXPORT_TIMEOUT)
        .build();
    let spans = spans.map_err(|error| exporter(error.into()))?;
    let batches = BatchSpanProcessor::builder(spans).build();
    let resource = Resource::builder_empty()
        .with_service_name(config.service.clone())
        .with_attribute(KeyValue::new("gcp.project_id", config.project_id.clone()));
    let provider = SdkTracerProvider::builder()
        .with_sampler(RatioOfRoots::new(config.ratio))
        .with_span_processor(KeepErrors::new(batches))
        .with_resource(resource.build())
        .build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("infinity-x"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false);
    // What libraries say of their spans may hold anything.
    let is_ours = filter_fn(|metadata| metadata.is_span() && metadata.target() == TRACE);
    let spans = layer.with_filter(is_ours.with_max_level_hint(LevelFilter::INFO));
    let failures = MarkFailures.with_filter(LevelFilter::ERROR);
    // Not one around the other: of those, `tracing` would take the outer one's level for both.
    let layers = vec![spans.boxed(), failures.boxed()];
    Ok((layers, Telemetry(Some(provider))))
}

/// A span in which an error is logged has failed.
struct MarkFailures;

impl<S: Subscriber> Layer<S> for MarkFailures {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() == Level::ERROR {
            let context = opentelemetry::Context::current();
            context.span().set_status(Status::error(""));
        }
    }
}

impl Telemetry {
    /// Sends the spans that have ended, for at most five seconds.
    pub fn flush(&self) {
        if let Some(Err(error)) = self.0.as_ref().map(SdkTracerProvider::force_flush) {
            tracing::warn!(%error, "spans are lost");
        }
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(provider) = self.0.take()
            && let Err(error) = provider.shutdown_with_timeout(LAST_EXPORT)
        {
            tracing::warn!(%error, "the last spans are lost");
        }
    }
}
