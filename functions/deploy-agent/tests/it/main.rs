//! `deploy-agent` through its router, on fakes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod app;
mod callable;
mod containers;
mod crashes;
mod events;
mod workers;
