//! `api` through its router, on fakes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod agents;
mod app;
mod edge;
mod executions;
mod idempotency;
mod integrations;
mod invitations;
mod listings;
mod matrix;
mod members;
mod organization;
mod permissions;
mod presence;
mod seeds;
mod table;
mod usage;
mod workflows;
