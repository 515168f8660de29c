use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use shared::clock::{Clock, SharedClock, SystemClock};

/// A clock that is ahead of the machine's, or behind it.
#[derive(Debug, Clone, Copy)]
pub struct SkewedClock {
    ahead: SignedDuration,
}

impl SkewedClock {
    /// A clock that is `secs` ahead, or behind when they are negative.
    #[must_use]
    pub fn shared(secs: i64) -> SharedClock {
        let ahead = SignedDuration::from_secs(secs);
        Arc::new(Self { ahead })
    }
}

impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        let now = SystemClock.now();
        now.checked_add(self.ahead).unwrap_or(now)
    }
}
