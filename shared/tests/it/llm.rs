//! The adapters of model providers against servers on local ports. What they send, and what the
//! servers answer, fits the vendors' published schemas.

mod anthropic;
mod breaks;
mod embeddings;
mod fixtures;
mod gemini;
mod openai;
mod openai_stream;
mod responses;
mod retrying;
mod server;
mod set;
mod vertex;
