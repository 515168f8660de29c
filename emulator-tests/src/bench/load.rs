//! Requests, one after the other on each connection, or at a set rate.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::{RequestBuilder, StatusCode};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::TaskTracker;

/// Somebody who can be asked again and again.
pub(super) trait Ask: Clone + Send + Sync + 'static {
    /// The next request.
    fn request(&self) -> RequestBuilder;

    /// The status of a right answer.
    fn status(&self) -> StatusCode {
        StatusCode::OK
    }
}

/// How to ask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Load {
    /// So many callers, each of whom asks again once it is answered.
    Callers(usize),
    /// So many requests a second, whoever is still waiting.
    Rate(f64),
}

/// What requests took.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    pub(super) wall: Duration,
    /// Until the first piece of the answer's body, in order.
    pub(super) firsts: Vec<Duration>,
    /// Until its end, in order.
    pub(super) wholes: Vec<Duration>,
}

impl Sample {
    pub(super) async fn take(target: &impl Ask, load: Load, time: Duration) -> Result<Self> {
        let started = Instant::now();
        let took = match load {
            Load::Callers(callers) => of_callers(target, callers, time).await?,
            Load::Rate(rate) => at_rate(target, rate, time).await?,
        };
        let wall = started.elapsed();
        let (mut firsts, mut wholes): (Vec<_>, Vec<_>) = took.into_iter().unzip();
        firsts.sort_unstable();
        wholes.sort_unstable();
        Ok(Self {
            wall,
            firsts,
            wholes,
        })
    }

    pub(super) fn count(&self) -> usize {
        self.wholes.len()
    }

    pub(super) fn per_second(&self) -> f64 {
        self.count() as f64 / self.wall.as_secs_f64()
    }
}

/// The middle one of odd many, and the upper of both of even many.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

pub(super) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The value that `share` of them do not exceed.
pub(super) fn percentile(sorted: &[Duration], share: f64) -> Duration {
    let last = sorted.len().saturating_sub(1);
    let position = (last as f64 * share).round();
    sorted.get(position as usize).copied().unwrap_or_default()
}

/// Until the first piece of the answer, and its end.
async fn ask(target: &impl Ask) -> Result<(Duration, Duration)> {
    let started = Instant::now();
    let mut answer = target.request().send().await?;
    ensure!(answer.status() == target.status(), "{}", answer.status());
    let first = answer.chunk().await?;
    ensure!(first.is_some(), "an empty answer");
    let first = started.elapsed();
    while answer.chunk().await?.is_some() {}
    Ok((first, started.elapsed()))
}

async fn of_callers(
    target: &impl Ask,
    callers: usize,
    time: Duration,
) -> Result<Vec<(Duration, Duration)>> {
    let until = Instant::now() + time;
    let calls = stream::iter(0..callers).map(|_| async move {
        let mut took = Vec::new();
        while Instant::now() < until {
            took.push(ask(target).await?);
        }
        anyhow::Ok(took)
    });
    let took: Vec<_> = calls.buffer_unordered(callers).try_collect().await?;
    Ok(took.into_iter().flatten().collect())
}

async fn at_rate(
    target: &impl Ask,
    rate: f64,
    time: Duration,
) -> Result<Vec<(Duration, Duration)>> {
    ensure!(rate > 0.0, "no rate");
    let mut ticks = interval(Duration::from_secs_f64(1.0 / rate));
    // What a late tick has missed comes at once, so that the rate is kept.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (calls, until) = (TaskTracker::new(), Instant::now() + time);
    let mut asked = Vec::new();
    while Instant::now() < until {
        ticks.tick().await;
        let target = target.clone();
        asked.push(calls.spawn(async move { ask(&target).await }));
    }
    let mut took = Vec::new();
    for call in asked {
        took.push(call.await.context("a call has panicked")??);
    }
    Ok(took)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_values() {
        let values: Vec<Duration> = (1..=101).map(Duration::from_millis).collect();
        assert_eq!(percentile(&values, 0.5), Duration::from_millis(51));
        assert_eq!(percentile(&values, 0.99), Duration::from_millis(100));
        assert_eq!(percentile(&[], 0.5), Duration::ZERO);
    }
}
