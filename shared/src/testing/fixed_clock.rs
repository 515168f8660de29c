use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;

use super::lock;
use crate::clock::{Clock, SharedClock};

/// A clock that stands still until a test moves it. Clones show the same time.
#[derive(Clone, Debug)]
pub struct FixedClock {
    now: Arc<Mutex<Timestamp>>,
}

impl FixedClock {
    /// A clock at an instant in RFC 3339, such as `2026-11-23T12:00:00Z`.
    ///
    /// # Panics
    /// Panics when the text is no instant.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "a test that mistypes an instant should fail"
    )]
    pub fn at(instant: &str) -> Self {
        let instant: Timestamp = instant.parse().expect("an RFC 3339 instant");
        let now = Arc::new(Mutex::new(instant));
        Self { now }
    }

    /// Moves the time on.
    ///
    /// # Panics
    /// Panics when the time would be out of range.
    pub fn advance(&self, duration: Duration) {
        *lock(&self.now) += duration;
    }

    /// This clock as a function's state holds it.
    #[must_use]
    pub fn shared(&self) -> SharedClock {
        Arc::new(self.clone())
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        *lock(&self.now)
    }
}
