//! `execute-workflow` through its router, on fakes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod actions;
mod admission;
mod agents;
mod app;
mod at_most_once;
mod branches;
mod budgets;
mod continuations;
mod edge;
mod erasures;
mod events;
mod failures;
mod http;
mod kills;
mod knowledge;
mod loops;
mod offers;
mod recovery;
mod reruns;
mod runs;
mod schedules;
mod sharing;
mod stopping;
mod tunings;
mod turns;
mod waiting;
