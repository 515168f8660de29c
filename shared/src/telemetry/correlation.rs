use std::{
    fmt::Write as _,
    io::{self, Write},
};

use opentelemetry::{Context, trace::TraceContextExt};
use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

/// Has each line tell the trace and the span that it belongs to
/// (<https://cloud.google.com/logging/docs/structured-logging#special-payload-fields>).
#[derive(Clone, Debug)]
pub struct TraceFields<W> {
    /// How the names of the project's traces begin.
    traces: String,
    writer: W,
}

/// A line that is about to be written.
pub struct Line<W> {
    /// What comes after the brace that opens it.
    fields: Option<String>,
    writer: W,
}

impl<W> TraceFields<W> {
    /// Writes JSON lines to `writer`, for traces of a project.
    #[must_use]
    pub fn new(project_id: &str, writer: W) -> Self {
        let traces = format!("projects/{project_id}/traces/");
        Self { traces, writer }
    }

    fn fields(&self) -> Option<String> {
        let context = Context::current();
        let span = context.span();
        let span = span.span_context();
        let mut fields = String::new();
        if span.is_valid() {
            let (trace_id, span_id, sampled) = (span.trace_id(), span.span_id(), span.is_sampled());
            let names = ["trace", "spanId", "trace_sampled"];
            let [trace, id, flag] = names.map(|name| format!("\"logging.googleapis.com/{name}\""));
            // A text takes everything.
            let _ = write!(
                fields,
                "{trace}:\"{}{trace_id}\",{id}:\"{span_id}\",{flag}:{sampled},",
                self.traces
            );
        }
        (!fields.is_empty()).then_some(fields)
    }
}

impl<'w, W: MakeWriter<'w>> MakeWriter<'w> for TraceFields<W> {
    type Writer = Line<W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        Line {
            fields: self.fields(),
            writer: self.writer.make_writer(),
        }
    }

    fn make_writer_for(&'w self, metadata: &Metadata<'_>) -> Self::Writer {
        Line {
            fields: self.fields(),
            writer: self.writer.make_writer_for(metadata),
        }
    }
}

impl<W: Write> Write for Line<W> {
    /// The formatter hands in lines as a whole.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match (self.fields.take(), line.strip_prefix(b"{")) {
            (Some(fields), Some(rest)) => {
                let line = [b"{", fields.as_bytes(), rest].concat();
                self.writer.write_all(&line)?;
            }
            _ => self.writer.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
