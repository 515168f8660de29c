//! `execute-workflow` through its router, on fakes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod agents;
mod app;
mod continuations;
mod edge;
mod erasures;
mod events;
mod failures;
mod recovery;
mod runs;
