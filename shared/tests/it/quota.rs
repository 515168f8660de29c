//! Quotas hold exactly, however many callers race.

pub(crate) mod adapter;
mod agents;
mod metered;
mod stats;
