//! Logs: one JSON object a line for Cloud Logging, or text for a person.

use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{Env, ServiceConfig};

/// What is logged unless `LOG_FILTER` says otherwise.
const DEFAULT_FILTER: &str = "info,firestore=warn,h2=warn,hyper=warn,tower_http=info";

/// Starts logging for this process. `LOG_FILTER` takes `tracing` directives.
pub fn init(env: &Env, config: &ServiceConfig) {
    let directives = env.optional("LOG_FILTER").unwrap_or(DEFAULT_FILTER);
    let filter = EnvFilter::new(directives);
    let layer = if config.json_logs {
        tracing_stackdriver::layer().boxed()
    } else {
        tracing_subscriber::fmt::layer().with_target(false).boxed()
    };
    // A second call in one process keeps the first subscriber: tests start several functions.
    let _ = tracing_subscriber::registry()
        .with(layer.with_filter(filter))
        .try_init();
}
