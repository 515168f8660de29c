//! `api` through its router, on fakes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod account;
mod agents;
mod app;
mod audit;
mod edge;
mod executions;
mod headers;
mod idempotency;
mod integrations;
mod invitations;
mod listings;
mod matrix;
mod members;
mod nodes;
mod organization;
mod permissions;
mod pictures;
mod presence;
mod seeds;
mod start;
mod steps;
mod stream;
mod table;
mod usage;
mod workflows;
