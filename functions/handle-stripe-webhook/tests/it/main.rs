//! `handle-stripe-webhook` through its router, on fakes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod app;
mod delivery;
mod events;
mod grace;
mod history;
mod limits;
mod metering;
mod reconcile;
mod requests;
mod rivals;
mod running;
mod sequences;
mod signatures;
mod told_stripe;
