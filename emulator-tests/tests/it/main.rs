//! Suites against the embedded Firestore with the real rules.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

mod document_db;
mod drill;
mod e2e;
mod faults;
mod indexes;
mod knowledge;
mod memories;
mod models;
mod rules;
