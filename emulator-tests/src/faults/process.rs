//! One worker process: started, told things, signalled.

use std::fs::OpenOptions;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin};

use super::pause::pause;
use super::worker::Command;

/// A worker that is not up by then never will be: the machine may be busy.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// Another program may take a port that was free a moment ago.
const STARTS: usize = 5;

/// How to start a worker.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Its variables; the port is added.
    pub variables: Vec<(String, String)>,
    /// Where what it logs is appended.
    pub log: Option<PathBuf>,
}

/// A worker that runs, or is stopped; dropping it kills it.
pub struct WorkerProcess {
    child: Child,
    input: ChildStdin,
    pid: Pid,
    port: u16,
}

impl WorkerProcess {
    /// Starts a worker and returns when it answers.
    ///
    /// # Errors
    /// When it ends before that, or does not answer in time.
    pub async fn start(launch: &Launch, http: &reqwest::Client) -> Result<Self> {
        for _ in 1..STARTS {
            if let Ok(worker) = Self::start_once(launch, http).await {
                return Ok(worker);
            }
        }
        Self::start_once(launch, http).await
    }

    /// The address, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Tells it something. A worker that has died meanwhile does not hear it.
    pub async fn tell(&mut self, command: Command) {
        let line = format!("{command}\n");
        let _ = self.input.write_all(line.as_bytes()).await;
    }

    /// Sends a signal, unless it is known to have died: its id may be another's by then.
    pub fn signal(&self, signal: Signal) {
        if self.child.id().is_some() {
            let _ = kill_process(self.pid, signal);
        }
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits for its end; none when it is still there after `patience`.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub async fn end_within(&mut self, patience: Duration) -> Result<Option<ExitStatus>> {
        match tokio::time::timeout(patience, self.child.wait()).await {
            Ok(status) => Ok(Some(status?)),
            Err(_) => Ok(None),
        }
    }

    async fn start_once(launch: &Launch, http: &reqwest::Client) -> Result<Self> {
        let port = free_port()?;
        let mut command = tokio::process::Command::new(&launch.program);
        command
            .env_clear()
            .envs(launch.variables.iter().cloned())
            .env("PORT", port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log_to(launch.log.as_deref())?)
            .kill_on_drop(true);
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", launch.program.display()))?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let mut worker = Self {
            input: child.stdin.take().context("the worker has no input")?,
            pid: id.and_then(Pid::from_raw).context("the worker has no id")?,
            child,
            port,
        };
        let healthy = worker.wait_until_healthy(http);
        tokio::time::timeout(START_PATIENCE, healthy)
            .await
            .context("the worker does not answer")??;
        Ok(worker)
    }

    async fn wait_until_healthy(&mut self, http: &reqwest::Client) -> Result<()> {
        let url = format!("{}/healthz", self.url());
        loop {
            if http
                .get(&url)
                .send()
                .await
                .is_ok_and(|r| r.status().is_success())
            {
                return Ok(());
            }
            let ended = self.ended()?;
            ensure!(ended.is_none(), "the worker ended at its start: {ended:?}");
            pause(Duration::from_millis(5)).await;
        }
    }
}

fn log_to(path: Option<&Path>) -> Result<Stdio> {
    let Some(path) = path else {
        return Ok(Stdio::null());
    };
    let file = OpenOptions::new().create(true).append(true).open(path);
    Ok(file.with_context(|| path.display().to_string())?.into())
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
