//! Adapters against the vendors' contracts, and policies against the in-memory database.

#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod audit;
mod connectors;
mod contract;
mod crypto;
mod database_clock;
mod edge;
mod envelope;
mod erasure;
mod google;
mod identity;
mod invitations;
mod llm;
mod members;
mod outbox;
mod provision;
mod queue;
mod quota;
mod rate_limit;
mod recall;
mod sealed_fields;
mod sendgrid;
mod serve;
mod storage;
mod stripe;
mod support;
mod sweeps;
mod telemetry;
mod tokens;
mod vault;
mod workspace;
