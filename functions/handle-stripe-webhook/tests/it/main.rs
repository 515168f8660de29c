//! `handle-stripe-webhook` through its router, on fakes; its client against a small server.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod app;
mod client;
mod delivery;
mod events;
mod grace;
mod history;
mod limits;
mod reconcile;
mod requests;
mod running;
mod sequences;
mod signatures;
