//! Quotas hold exactly, however many callers race.

mod agents;
mod metered;
mod stats;
