//! The adapters of model providers against servers on local ports. What they send, and what the
//! servers answer, fits the vendors' published schemas.

mod anthropic;
mod anthropic_stream;
mod breaks;
mod embeddings;
mod fixtures;
mod gemini;
mod gemini_stream;
mod openai;
mod openai_stream;
mod responses;
mod retrying;
pub(crate) mod server;
mod set;
mod speech;
mod vertex;
