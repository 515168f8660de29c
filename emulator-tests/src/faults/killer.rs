//! Kills workers, two at once, at named points and at random times.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use execute_workflow::fault_points::KillPoint;
use indicatif::ProgressBar;
use tokio::sync::Semaphore;

use super::chance::Chance;
use super::fleet::{Fleet, Hold};
use super::pause::pause;
use super::sinks::{Caller, Moment, Sinks, Trap};
use super::size::Size;

/// Workers that may be down at the same time.
const AT_ONCE: usize = 2;
/// A point that is not reached by then is not on the way of what runs: the worker dies anyway.
const REACH_PATIENCE: Duration = Duration::from_secs(6);

/// A kill to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    /// At a point.
    At(KillPoint),
    /// At a random time.
    Whenever,
}

/// Kills that were made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Toll {
    /// At each point.
    pub at_points: BTreeMap<&'static str, usize>,
    /// At random times, those included whose point was not reached.
    pub at_random: usize,
}

/// Kills workers and hands out load as it goes.
pub struct Killer<'a> {
    /// Whom.
    pub fleet: &'a Fleet,
    /// What they wait for when they die after a request was sent.
    pub sinks: &'a Sinks,
    /// When.
    pub chance: Chance,
    /// What takes a permit from here is spread over all kills.
    pub pace: &'a Semaphore,
    /// How many permits there are in all.
    pub load: usize,
    /// Where each kill is shown.
    pub progress: &'a ProgressBar,
}

impl Toll {
    /// All kills.
    #[must_use]
    pub fn sum(&self) -> usize {
        self.at_points.values().sum::<usize>() + self.at_random
    }

    fn count(&mut self, kill: Kill) {
        match kill {
            Kill::At(point) => *self.at_points.entry(point.as_str()).or_default() += 1,
            Kill::Whenever => self.at_random += 1,
        }
    }
}

/// The kills of a size, in random order.
#[must_use]
pub fn schedule(size: &Size, chance: &Chance) -> Vec<Kill> {
    let at_points = KillPoint::ALL.map(Kill::At).into_iter();
    let mut kills: Vec<Kill> = at_points
        .flat_map(|kill| std::iter::repeat_n(kill, size.kills_per_point))
        .chain(std::iter::repeat_n(Kill::Whenever, size.random_kills))
        .collect();
    chance.shuffle(&mut kills);
    kills
}

impl Killer<'_> {
    /// Makes all kills, and starts the workers again.
    ///
    /// # Errors
    /// When a worker cannot be killed or started.
    pub async fn run(&self, kills: Vec<Kill>) -> Result<Toll> {
        let releases = Mutex::new(self.releases(&kills));
        let (kills, toll) = (Mutex::new(kills), Mutex::new(Toll::default()));
        let kill_on = || async {
            loop {
                // Let go before the kill: the other killer waits for it.
                let Some(kill) = lock(&kills).pop() else {
                    return anyhow::Ok(());
                };
                let load = lock(&releases).pop().unwrap_or_default();
                let made = self.kill(kill, load).await?;
                lock(&toll).count(made);
            }
        };
        let killers = (0..AT_ONCE).map(|_| kill_on());
        futures::future::try_join_all(killers).await?;
        Ok(toll.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes one kill while a part of the load begins, and tells what became of it.
    async fn kill(&self, kill: Kill, load: usize) -> Result<Kill> {
        pause(self.chance.millis(300..1_700)).await;
        let mut worker = self.fleet.hold_any().await?;
        self.pace.add_permits(load);
        let made = match kill {
            Kill::At(point) if self.is_at(point, &mut worker).await? => kill,
            _ => Kill::Whenever,
        };
        worker.kill().await?;
        worker.restart().await?;
        self.progress.inc(1);
        Ok(made)
    }

    /// Waits until a worker is at a point, or has died there.
    async fn is_at(&self, point: KillPoint, worker: &mut Hold<'_>) -> Result<bool> {
        let number = worker.number();
        self.fleet.set_busy(number, true);
        let is_at = self.lead_to(point, worker).await;
        self.fleet.set_busy(number, false);
        is_at
    }

    async fn lead_to(&self, point: KillPoint, worker: &mut Hold<'_>) -> Result<bool> {
        if point == KillPoint::AfterSend {
            // Between request and answer it is the sink that knows.
            let moment = match self.chance.happens(500) {
                true => Moment::BeforeEffect,
                false => Moment::AfterEffect,
            };
            let of = Caller::Worker(worker.number());
            let sprung = self.sinks.set(Trap { moment, of });
            let sprung = tokio::time::timeout(REACH_PATIENCE, sprung).await;
            // Before the call is let go.
            worker.kill().await?;
            return Ok(sprung.is_ok());
        }
        let nth = 1 + u32::from(self.chance.happens(300));
        worker.kill_at(point, nth, REACH_PATIENCE).await
    }

    /// How much of the load begins with each kill: one at each point, since some are only reached
    /// by what is new, and the rest spread over the others.
    fn releases(&self, kills: &[Kill]) -> Vec<usize> {
        let at_points = kills.iter().filter(|kill| **kill != Kill::Whenever);
        let rest = self.load.saturating_sub(at_points.count());
        let all = kills.iter().filter(|kill| **kill == Kill::Whenever);
        let (all, mut made) = (all.count(), 0);
        let part = |kill: &Kill| match kill {
            Kill::At(_) => 1,
            Kill::Whenever => {
                made += 1;
                rest * made / all - rest * (made - 1) / all
            }
        };
        kills.iter().map(part).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_has_all_kills_of_its_size() {
        let kills = schedule(&Size::FULL, &Chance::new(1, "killer"));
        assert_eq!(kills.len(), 1_000);
        for point in KillPoint::ALL {
            let at_point = kills.iter().filter(|kill| **kill == Kill::At(point));
            assert_eq!(at_point.count(), 50);
        }
    }
}
