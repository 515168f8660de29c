//! The whole product on one machine: what `cargo dev` runs and what the suites run against.

pub mod bench;
pub mod canary;
pub mod chat;
pub mod client;
mod delivery;
pub mod demo;
pub mod drill;
pub mod emulators;
pub mod faults;
pub mod google_account;
mod harness;
pub mod mail;
mod mount;
pub mod stubs;

pub use harness::{Endpoints, Harness, HarnessOptions, PROJECT_ID};
