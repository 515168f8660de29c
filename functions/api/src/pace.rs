//! When to look again at what somebody watches, and until when.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, Interval, interval};

/// Pause after something has happened; it doubles as long as nothing does.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_secs(2);
/// How long one stream lasts: less than the edge gives an answer, though it does not measure
/// bodies, so that no proxy cuts one off in the middle of an event.
const MAX_DURATION: Duration = Duration::from_secs(50);
/// A member who may not watch any more is noticed within 30 s, slow reads included.
const RECHECK: Duration = Duration::from_secs(15);

/// The looks of one stream.
#[derive(Debug)]
pub(crate) struct Pace {
    started: Instant,
    checked: Instant,
    pause: Duration,
    interval: Interval,
}

impl Pace {
    /// The first look is at once.
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self {
            started: now,
            checked: now,
            pause: FIRST_PAUSE,
            interval: interval(FIRST_PAUSE),
        }
    }

    /// Waits for the next look; whether there is to be one. Now and then `may_watch` is asked.
    pub(crate) async fn next<A>(&mut self, may_watch: impl Fn() -> A) -> bool
    where
        A: Future<Output = bool>,
    {
        self.interval.tick().await;
        if self.started.elapsed() >= MAX_DURATION {
            return false;
        }
        if self.checked.elapsed() < RECHECK {
            return true;
        }
        self.checked = Instant::now();
        may_watch().await
    }

    /// When to look next: soon after news, and at once when there is more to read.
    pub(crate) fn plan(&mut self, is_news: bool, is_all: bool) {
        self.pause = match (is_all, is_news) {
            (false, _) => Duration::ZERO,
            (true, true) => FIRST_PAUSE,
            (true, false) => (self.pause * 2).clamp(FIRST_PAUSE, MAX_PAUSE),
        };
        self.interval.reset_after(self.pause);
    }
}
