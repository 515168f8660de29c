//! `handle-stripe-webhook` through its router, on fakes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod app;
mod events;
mod metering;
mod requests;
