//! `sync-google-workspace` through its router, on fakes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod app;
mod arrivals;
mod contents;
mod cursors;
mod deaths;
mod failures;
mod fan_out;
mod folders;
mod last_sync;
mod limits;
mod messages;
mod model;
mod reading;
mod reindexing;
mod sharing;
mod texts;
mod watches;
mod world;
