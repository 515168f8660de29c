use futures::future::BoxFuture;
use tracing::{Instrument, info_span};

use super::Error;
use crate::{
    retry::Transient,
    telemetry::{TRACE, fail},
};

/// Makes a call of the database in a span of its own, which names collections and no document. That
/// somebody else was faster is no failure.
pub(super) fn traced<'call, T>(
    operation: &'static str,
    path: &str,
    call: impl Future<Output = Result<T, Error>> + Send + 'call,
) -> BoxFuture<'call, Result<T, Error>> {
    let span = info_span!(
        target: TRACE,
        "firestore",
        otel.name = format!("{operation} {}", collections(path)).trim_end(),
        otel.kind = "client",
        db.system.name = "gcp.firestore",
        db.operation.name = operation,
    );
    Box::pin(async move {
        let result = call.instrument(span.clone()).await;
        if result.as_ref().is_err_and(Transient::is_transient) {
            fail(&span, "unavailable");
        }
        result
    })
}

/// The collections of a path, without the ids between them.
fn collections(path: &str) -> String {
    let names: Vec<&str> = path.split('/').step_by(2).collect();
    names.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_id_is_told() {
        for (path, told) in [
            ("users/u1", "users"),
            ("executions/e1/steps/s1", "executions/steps"),
            ("executions/e1/steps", "executions/steps"),
            ("steps", "steps"),
            ("", ""),
        ] {
            assert_eq!(collections(path), told);
        }
    }
}
