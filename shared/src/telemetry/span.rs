use std::collections::HashMap;

use opentelemetry::{
    Context,
    propagation::TextMapPropagator,
    trace::{SpanContext, Status, TraceContextExt},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The target of spans that traces are made of. No other span is exported, and logs show none of
/// these. Their fields hold ids and codes, and nothing that people or providers have written.
pub const TRACE: &str = "infinity_x::trace";

/// The header, attribute and field that carries a trace from one process to another
/// (<https://www.w3.org/TR/trace-context/#traceparent-header>).
pub const TRACEPARENT: &str = "traceparent";

/// The header with the same text from one service of ours to another. Google's front end writes a
/// span and a decision of its own into `traceparent`, and leaves this one as it is
/// (<https://github.com/elastic/apm/issues/609>).
pub const OWN_TRACEPARENT: &str = "x-infinity-x-traceparent";

/// The present place in a trace, for whoever goes on elsewhere; none when there are no traces.
#[must_use]
pub fn traceparent() -> Option<String> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&Context::current(), &mut carrier);
    carrier.remove(TRACEPARENT)
}

/// Puts a span that has not begun below another process's: that of the first valid `traceparent`.
/// When that is of another trace than the present one, the span leaves the present one and points
/// to it. Without a valid one the span stays where it is.
pub fn join<'a>(span: Span, traceparents: impl IntoIterator<Item = &'a str>) -> Span {
    let here = Context::current().span().span_context().clone();
    if let Some(above) = traceparents.into_iter().find_map(parse)
        && above.trace_id() != here.trace_id()
    {
        // Refused where there are no traces.
        let _ = span.set_parent(Context::new().with_remote_span_context(above));
        span.add_link(here);
    }
    span
}

/// Has a span point to another process's, and stay in its own trace.
pub fn link(span: Span, traceparent: Option<&str>) -> Span {
    if let Some(other) = traceparent.and_then(parse) {
        span.add_link(other);
    }
    span
}

/// Marks a span as failed, with a code: a trace with such a span is kept.
pub fn fail(span: &Span, code: &str) {
    span.set_attribute("error.type", code.to_owned());
    span.set_status(Status::error(""));
}

fn parse(traceparent: &str) -> Option<SpanContext> {
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    let found = context.span().span_context().clone();
    found.is_valid().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_traceparent_is_taken() {
        let whole = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert!(parse(whole).unwrap().is_sampled());
        for text in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn nothing_is_carried_where_there_are_no_traces() {
        assert_eq!(traceparent(), None);
    }
}
