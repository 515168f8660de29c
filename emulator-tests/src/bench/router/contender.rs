//! One process that is measured.

use std::{net::SocketAddr, process::Stdio};

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// The processor that contenders run on; everything else has another.
const CONTENDERS_CPU: &str = "0";
const OTHERS_CPU: &str = "1";

/// A running contender; dropping it kills it.
pub(super) struct Contender {
    child: Child,
    url: String,
}

impl Contender {
    /// Starts this program again as `subject`, and returns when it serves.
    pub(super) async fn start(subject: &str, variables: &[(&str, String)]) -> Result<Self> {
        let program = std::env::current_exe()?;
        let mut child = Command::new("taskset")
            .args(["--cpu-list", CONTENDERS_CPU])
            .arg(program)
            .arg(subject)
            .env_clear()
            .envs(variables.iter().cloned())
            .stdin(Stdio::null())
            // Written as on Cloud Run, read by nobody.
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start `taskset` of util-linux")?;
        let mut errors = BufReader::new(child.stderr.take().context("no errors")?);
        let mut address = String::new();
        errors.read_line(&mut address).await?;
        let address = address.trim();
        let is_up = address.parse::<SocketAddr>().is_ok();
        ensure!(is_up, "{subject} has not started: {address}");
        Ok(Self {
            url: format!("http://{address}"),
            child,
        })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The process: `taskset` has become it.
    pub(super) fn pid(&self) -> Result<u32> {
        self.child.id().context("it has ended")
    }
}

/// Leaves the contenders' processor to them.
pub(super) async fn step_aside() -> Result<()> {
    let pid = std::process::id().to_string();
    let mut taskset = Command::new("taskset");
    taskset.args(["--all-tasks", "--cpu-list", "--pid", OTHERS_CPU, &pid]);
    let moved = taskset.stdout(Stdio::null()).status().await;
    let moved = moved.context("cannot start `taskset` of util-linux")?;
    ensure!(moved.success(), "two processors are needed");
    Ok(())
}
