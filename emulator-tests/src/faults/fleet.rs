//! The workers together: whoever is up takes the work.

use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use execute_workflow::fault_points::KillPoint;
use rustix::process::Signal;
use tokio::sync::MutexGuard;

use super::chance::Chance;
use super::process::{Launch, WorkerProcess};
use super::worker::Command;

/// A process that got SIGKILL ends as soon as the machine gets to it.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// How much goes to busy workers, out of 1,000.
const BUSY_SHARE: u32 = 850;

/// Workers by number. Clones share them.
#[derive(Clone)]
pub struct Fleet {
    workers: Arc<Vec<Worker>>,
    http: reqwest::Client,
    chance: Chance,
    /// Most work goes to these, for as long as there are any.
    busy: Arc<Mutex<Vec<usize>>>,
}

struct Worker {
    launch: Launch,
    process: tokio::sync::Mutex<WorkerProcess>,
    /// Its address for as long as it takes work.
    address: Mutex<Option<String>>,
}

/// A worker that nobody else kills, stops or starts meanwhile.
pub struct Hold<'a> {
    number: usize,
    worker: &'a Worker,
    process: MutexGuard<'a, WorkerProcess>,
    http: &'a reqwest::Client,
}

impl Fleet {
    /// Starts all workers.
    ///
    /// # Errors
    /// When one of them does not start.
    pub async fn start(
        launches: Vec<Launch>,
        http: reqwest::Client,
        chance: Chance,
    ) -> Result<Self> {
        let start = launches.into_iter().map(|launch| async {
            let process = WorkerProcess::start(&launch, &http).await?;
            let address = Mutex::new(Some(process.url()));
            let process = tokio::sync::Mutex::new(process);
            anyhow::Ok(Worker {
                launch,
                process,
                address,
            })
        });
        let workers = futures::future::try_join_all(start).await?;
        Ok(Self {
            workers: Arc::new(workers),
            http,
            chance,
            busy: Arc::default(),
        })
    }

    /// The address of any worker that is up.
    #[must_use]
    pub fn any(&self) -> Option<String> {
        let busy = if self.chance.happens(BUSY_SHARE) {
            lock(&self.busy).clone()
        } else {
            Vec::new()
        };
        let busy = busy.iter().filter_map(|number| self.workers.get(*number));
        let mut up: Vec<String> = busy.filter_map(Worker::address).collect();
        if up.is_empty() {
            up = self.workers.iter().filter_map(Worker::address).collect();
        }
        up.get(self.chance.below(up.len())).cloned()
    }

    /// Sends most work to a worker, or no more than its share.
    pub fn set_busy(&self, number: usize, is_busy: bool) {
        let mut busy = lock(&self.busy);
        busy.retain(|other| *other != number);
        if is_busy {
            busy.push(number);
        }
    }

    /// Holds a worker, once nobody else does.
    ///
    /// # Errors
    /// When there is no such worker.
    pub async fn hold(&self, number: usize) -> Result<Hold<'_>> {
        let worker = self
            .workers
            .get(number)
            .context("there is no such worker")?;
        Ok(Hold {
            number,
            worker,
            process: worker.process.lock().await,
            http: &self.http,
        })
    }

    /// Holds any worker that nobody else holds, or waits for one.
    ///
    /// # Errors
    /// When there are no workers.
    pub async fn hold_any(&self) -> Result<Hold<'_>> {
        let first = self.chance.below(self.workers.len());
        for offset in 0..self.workers.len() {
            let number = (first + offset) % self.workers.len();
            if let Some(worker) = self.workers.get(number)
                && let Ok(process) = worker.process.try_lock()
            {
                return Ok(Hold {
                    number,
                    worker,
                    process,
                    http: &self.http,
                });
            }
        }
        self.hold(first).await
    }

    /// Starts workers again that ended by themselves; tells how many there were.
    ///
    /// # Errors
    /// When one of them does not start.
    pub async fn revive(&self) -> Result<usize> {
        let mut revived = 0;
        for (number, worker) in self.workers.iter().enumerate() {
            let Ok(process) = worker.process.try_lock() else {
                continue;
            };
            let mut hold = Hold {
                number,
                worker,
                process,
                http: &self.http,
            };
            if hold.process.ended()?.is_some() {
                hold.restart().await?;
                revived += 1;
            }
        }
        Ok(revived)
    }
}

impl Worker {
    fn address(&self) -> Option<String> {
        lock(&self.address).clone()
    }

    fn set_address(&self, url: Option<String>) {
        *lock(&self.address) = url;
    }
}

impl Hold<'_> {
    /// Which worker it is.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    /// Where it is reached.
    #[must_use]
    pub fn url(&self) -> String {
        self.process.url()
    }

    /// Kills it with `kill -9`.
    ///
    /// # Errors
    /// When it is still there after that.
    pub async fn kill(&mut self) -> Result<()> {
        self.worker.set_address(None);
        self.process.signal(Signal::KILL);
        let ended = self.process.end_within(KILL_PATIENCE).await?;
        ensure!(ended.is_some(), "a worker survived SIGKILL");
        Ok(())
    }

    /// Has it end itself the `nth` time it reaches a point; tells whether it did so within
    /// `patience`.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub async fn kill_at(
        &mut self,
        point: KillPoint,
        nth: u32,
        patience: Duration,
    ) -> Result<bool> {
        self.process.tell(Command::Arm { point, nth }).await;
        Ok(self.process.end_within(patience).await?.is_some())
    }

    /// Starts it again.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart(&mut self) -> Result<()> {
        self.worker.set_address(None);
        *self.process = WorkerProcess::start(&self.worker.launch, self.http).await?;
        self.worker.set_address(Some(self.process.url()));
        Ok(())
    }

    /// Freezes it with SIGSTOP: it keeps its connections and believes that no time passes.
    pub fn freeze(&self) {
        self.worker.set_address(None);
        self.process.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.process.signal(Signal::CONT);
        self.worker.set_address(Some(self.process.url()));
    }

    /// Asks it to end with SIGTERM; how it ended and how long that took, if it did within
    /// `patience`.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub async fn terminate(
        &mut self,
        patience: Duration,
    ) -> Result<Option<(ExitStatus, Duration)>> {
        self.worker.set_address(None);
        let asked = Instant::now();
        self.process.signal(Signal::TERM);
        let ended = self.process.end_within(patience).await?;
        Ok(ended.map(|status| (status, asked.elapsed())))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
