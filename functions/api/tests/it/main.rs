//! `api` through its router, on fakes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod account;
mod admission;
mod agent_life;
mod agents;
mod app;
mod approvals;
mod audit;
mod billing;
mod cancellation;
mod conversations;
mod edge;
mod executions;
mod headers;
mod idempotency;
mod integrations;
mod invitations;
mod knowledge;
mod listings;
mod llm;
mod llm_cache;
mod llm_routes;
mod matrix;
mod members;
mod memories;
mod mocks;
mod nodes;
mod organization;
mod own_keys;
mod permissions;
mod pictures;
mod presence;
mod reruns;
mod seeds;
mod speech;
mod start;
mod steps;
mod stored_bodies;
mod stream;
mod syncs;
mod table;
mod tunings;
mod usage;
mod webhooks;
mod workflows;
