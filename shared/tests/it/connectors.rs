//! The adapters of connected services, against the vendors' contracts on a local port.

mod fake;
mod faults;
mod github;
mod llm_keys;
mod sendgrid;
mod stripe;
mod suite;
mod twilio;
mod vendors;
