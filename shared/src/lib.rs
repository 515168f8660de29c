//! What the functions of Infinity X share: documents, ports to outside systems, policies and the
//! HTTP edge. Imports go down the floors that `tests/floor_plan.rs` checks.

#![warn(missing_docs)]

pub mod actions;
pub mod arrivals;
pub mod audit;
pub mod auth;
pub mod clock;
pub mod config;
pub mod connectors;
pub mod crypto;
pub mod egress;
pub mod email;
pub mod erasure;
pub mod events;
pub mod graph;
pub mod http;
pub mod identity;
pub mod ids;
pub mod inputs;
pub mod invitation;
pub mod knowledge;
pub mod llm;
pub mod members;
pub mod models;
pub mod outbox;
pub mod prompt;
pub mod provision;
pub mod queue;
pub mod quota;
pub mod rate_limit;
pub mod redaction;
pub mod retry;
pub mod runs;
pub mod service_identity;
pub mod shutdown;
pub mod storage;
pub mod store;
pub mod stripe;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
pub mod topic;
pub mod training;
pub mod vault;
