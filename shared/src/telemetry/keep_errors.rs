use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use opentelemetry::{
    Context, TraceFlags,
    trace::{Span as _, SpanContext, Status, TraceId},
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanProcessor},
};

/// Spans of one trace that are held back until it is known whether something fails in them.
const MAX_HELD: usize = 256;

/// Hands on what is sampled, and of the other traces those parts of this process in which something
/// fails: the spans of a trace are held back as long as one of them is open, and forgotten when none
/// has failed. What other processes have forgotten by then stays forgotten.
#[derive(Debug)]
pub(super) struct KeepErrors<P> {
    next: P,
    parts: Mutex<HashMap<TraceId, Part>>,
}

/// What this process does in a trace that is not sampled.
#[derive(Debug, Default)]
struct Part {
    open: usize,
    has_failed: bool,
    held: Vec<SpanData>,
}

impl<P> KeepErrors<P> {
    pub(super) fn new(next: P) -> Self {
        let parts = Mutex::default();
        Self { next, parts }
    }

    fn parts(&self) -> MutexGuard<'_, HashMap<TraceId, Part>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be handed on now that a span has ended.
    fn end(&self, span: SpanData) -> Vec<SpanData> {
        let trace_id = span.span_context.trace_id();
        let mut parts = self.parts();
        let Some(part) = parts.get_mut(&trace_id) else {
            return Vec::new();
        };
        part.open = part.open.saturating_sub(1);
        part.has_failed |= matches!(span.status, Status::Error { .. });
        // The first of a long run are as good as any others.
        if part.has_failed || part.held.len() < MAX_HELD {
            part.held.push(span);
        }
        let kept = match part.has_failed {
            true => std::mem::take(&mut part.held),
            false => Vec::new(),
        };
        if part.open == 0 {
            parts.remove(&trace_id);
        }
        kept
    }
}

impl<P: SpanProcessor> SpanProcessor for KeepErrors<P> {
    fn on_start(&self, span: &mut Span, cx: &Context) {
        let context = span.span_context();
        if context.is_sampled() {
            self.next.on_start(span, cx);
        } else {
            self.parts().entry(context.trace_id()).or_default().open += 1;
        }
    }

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() {
            self.next.on_end(span);
            return;
        }
        for span in self.end(span) {
            self.next.on_end(sampled(span));
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.next.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.next.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}

/// Exporters pass over what is not.
fn sampled(mut span: SpanData) -> SpanData {
    let context = &span.span_context;
    span.span_context = SpanContext::new(
        context.trace_id(),
        context.span_id(),
        context.trace_flags() | TraceFlags::SAMPLED,
        context.is_remote(),
        context.trace_state().clone(),
    );
    span
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use opentelemetry::trace::{TraceContextExt, Tracer, TracerProvider};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;
    use crate::telemetry::sampler::RatioOfRoots;

    #[derive(Clone, Debug, Default)]
    struct Seen(Arc<Mutex<Vec<String>>>);

    impl SpanProcessor for Seen {
        fn on_start(&self, _: &mut Span, _: &Context) {}

        fn on_end(&self, span: SpanData) {
            assert!(span.span_context.is_sampled());
            self.0.lock().unwrap().push(span.name.into_owned());
        }

        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }

        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            Ok(())
        }
    }

    /// A root with so many children, of which one may fail; what was handed on.
    fn run(ratio: f64, children: usize, failing: Option<usize>) -> Vec<String> {
        let seen = Seen::default();
        let provider = SdkTracerProvider::builder()
            .with_sampler(RatioOfRoots::new(ratio))
            .with_span_processor(KeepErrors::new(seen.clone()))
            .build();
        let tracer = provider.tracer("test");
        let root = Context::new().with_span(tracer.start_with_context("root", &Context::new()));
        for number in 0..children {
            let mut child = tracer.start_with_context(number.to_string(), &root);
            if failing == Some(number) {
                child.set_status(Status::error(""));
            }
            child.end();
        }
        root.span().end();
        seen.0.lock().unwrap().clone()
    }

    #[test]
    fn a_trace_that_is_not_sampled_is_kept_only_when_something_fails() {
        assert_eq!(run(0.0, 2, None), [""; 0]);
        assert_eq!(run(0.0, 3, Some(1)), ["0", "1", "2", "root"]);
        assert_eq!(run(1.0, 2, None), ["0", "1", "root"]);
    }

    #[test]
    fn a_long_trace_keeps_its_beginning_and_what_follows_the_failure() {
        let names = run(0.0, MAX_HELD + 20, Some(MAX_HELD + 10));
        assert_eq!(names.len(), MAX_HELD + 11);
        let failed = (MAX_HELD + 10).to_string();
        assert!(names.contains(&failed) && names.last().unwrap() == "root");
    }

    #[test]
    fn nothing_is_held_of_a_trace_that_has_ended() {
        let processor = KeepErrors::new(Seen::default());
        let processor = Arc::new(processor);
        let provider = SdkTracerProvider::builder()
            .with_sampler(RatioOfRoots::new(0.0))
            .with_span_processor(Shared(Arc::clone(&processor)))
            .build();
        provider.tracer("test").start("root").end();
        assert!(processor.parts().is_empty());
    }

    #[derive(Debug)]
    struct Shared(Arc<KeepErrors<Seen>>);

    impl SpanProcessor for Shared {
        fn on_start(&self, span: &mut Span, cx: &Context) {
            self.0.on_start(span, cx);
        }

        fn on_end(&self, span: SpanData) {
            self.0.on_end(span);
        }

        fn force_flush(&self) -> OTelSdkResult {
            self.0.force_flush()
        }

        fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
            self.0.shutdown_with_timeout(timeout)
        }
    }
}
