//! How often somebody may come, on a real Redis and in memory.

mod adapter;
mod edge;
mod keeping;
mod model;
mod outages;
mod slow_line;
mod tls;
mod users;
mod window;

use std::{num::NonZeroU32, time::Duration};

use shared::{
    config::Env,
    rate_limit::{Limit, RateLimitConfig},
};

fn limit(requests: u32, window_secs: u64) -> Limit {
    Limit {
        requests: NonZeroU32::new(requests).unwrap(),
        window: Duration::from_secs(window_secs),
    }
}

/// The limits of a service with these variables.
fn config(variables: &[(&str, &str)]) -> RateLimitConfig {
    RateLimitConfig::load(&Env::from_pairs(variables.iter().copied())).unwrap()
}
