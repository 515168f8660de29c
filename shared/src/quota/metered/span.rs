//! The span of a call, by <https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/>. It tells
//! which model was asked and what was used, and never what was said.

use tracing::{Span, field::Empty, info_span};

use crate::{
    llm::{
        self, ProviderName, Usage,
        router::{Candidate, FailureClass},
    },
    telemetry::{TRACE, fail},
};

/// The span of a call that is about to be made.
pub(super) fn of_call(operation: &'static str, candidate: &Candidate) -> Span {
    let model = candidate.model.as_str();
    info_span!(
        target: TRACE,
        "model",
        otel.name = format!("{operation} {model}"),
        otel.kind = "client",
        gen_ai.operation.name = operation,
        gen_ai.provider.name = name_of(candidate.provider),
        gen_ai.request.model = model,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
    )
}

/// Tells in a call's span what it has used, or why it has failed.
pub(super) fn end(span: &Span, used: Result<Usage, &llm::Error>) {
    match used {
        Ok(usage) => {
            span.record("gen_ai.usage.input_tokens", usage.input_tokens);
            span.record("gen_ai.usage.output_tokens", usage.output_tokens);
        }
        Err(error) => fail(span, code_of(FailureClass::of(error))),
    }
}

fn code_of(class: FailureClass) -> &'static str {
    match class {
        FailureClass::RateLimited => "rate_limited",
        FailureClass::Unavailable => "unavailable",
        FailureClass::Timeout => "timeout",
        FailureClass::Unauthenticated => "unauthenticated",
        FailureClass::ContextTooLong => "context_too_long",
        FailureClass::ContentPolicy => "content_policy",
        FailureClass::InvalidRequest => "invalid_request",
    }
}

fn name_of(provider: ProviderName) -> &'static str {
    match provider {
        ProviderName::Openai => "openai",
        ProviderName::Anthropic => "anthropic",
        ProviderName::Gemini => "gcp.gemini",
        ProviderName::Vertex => "gcp.vertex_ai",
        ProviderName::Compatible => "compatible",
    }
}
