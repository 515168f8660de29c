//! Quotas hold exactly, however many callers race.

pub(crate) mod adapter;
mod agents;
mod alerts;
mod leases;
mod metered;
mod routes;
mod routing;
mod script;
mod speech;
mod stats;
mod streams;
mod unknown;
