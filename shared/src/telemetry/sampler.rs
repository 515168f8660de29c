use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanKind, TraceId},
};
use opentelemetry_sdk::trace::{
    ParentBasedSampler, Sampler, SamplingDecision, SamplingResult, ShouldSample,
};

/// Samples a part of the traces that begin here and follows whoever has begun the others. What is
/// not sampled is recorded all the same: it may fail, and is kept then.
#[derive(Clone, Debug)]
pub(super) struct RatioOfRoots(ParentBasedSampler);

impl RatioOfRoots {
    pub(super) fn new(ratio: f64) -> Self {
        Self(Sampler::parent_based(Sampler::TraceIdRatioBased(ratio)))
    }
}

impl ShouldSample for RatioOfRoots {
    fn should_sample(
        &self,
        parent_context: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        span_kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let sampler = &self.0;
        let result =
            sampler.should_sample(parent_context, trace_id, name, span_kind, attributes, links);
        let decision = match result.decision {
            SamplingDecision::Drop => SamplingDecision::RecordOnly,
            decision => decision,
        };
        SamplingResult { decision, ..result }
    }
}
