//! One process that is measured.

use std::{
    net::{SocketAddr, TcpListener},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use axum::Router;
use shared::http::without_delay;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net,
    process::{Child, Command},
    time::interval,
};

/// The processor that contenders run on; everything else has another.
const CONTENDERS_CPU: &str = "0";
const OTHERS_CPU: &str = "1";

const LONGEST_START: Duration = Duration::from_secs(30);

/// A running contender; dropping it kills it.
pub(super) struct Contender {
    child: Child,
    url: String,
    start: Duration,
}

impl Contender {
    /// Starts this program again as `subject`, and returns when it serves.
    pub(super) async fn of_this_program(
        subject: &str,
        variables: &[(&str, String)],
    ) -> Result<Self> {
        let program = std::env::current_exe()?;
        let program = program.to_str().context("this program has an odd path")?;
        let started = Instant::now();
        let mut child = taskset(&[program, subject], variables)
            .stderr(Stdio::piped())
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
            start: started.elapsed(),
        })
    }

    /// Starts a service that listens on the port in `PORT`, and returns when it answers at `path`,
    /// whatever it does.
    pub(super) async fn of_service(
        command: &[&str],
        variables: &[(&str, String)],
        path: &str,
    ) -> Result<Self> {
        // Nobody else asks for the port in between.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let variables = [variables, &[("PORT", port.to_string())]].concat();
        let started = Instant::now();
        let child = taskset(command, &variables)
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start `taskset` of util-linux")?;
        let mut contender = Self {
            url: format!("http://127.0.0.1:{port}"),
            child,
            start: Duration::ZERO,
        };
        let client = crate::client::http_client()?;
        let url = format!("{}{path}", contender.url);
        let mut ticks = interval(Duration::from_millis(1));
        while client.get(&url).send().await.is_err() {
            let is_late = started.elapsed() > LONGEST_START;
            ensure!(
                !is_late && contender.child.try_wait()?.is_none(),
                "{command:?} does not start"
            );
            ticks.tick().await;
        }
        contender.start = started.elapsed();
        Ok(contender)
    }

    /// From its start to its first answer.
    pub(super) fn start_time(&self) -> Duration {
        self.start
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The process: `taskset` has become it.
    pub(super) fn pid(&self) -> Result<u32> {
        self.child.id().context("it has ended")
    }
}

fn taskset(command: &[&str], variables: &[(&str, String)]) -> Command {
    let mut taskset = Command::new("taskset");
    taskset
        .args(["--cpu-list", CONTENDERS_CPU])
        .args(command)
        .env_clear()
        .envs(variables.iter().cloned())
        .stdin(Stdio::null())
        // Written as on Cloud Run, read by nobody.
        .stdout(Stdio::null())
        .kill_on_drop(true);
    taskset
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

/// Serves on any free port and tells it in the first line of the errors: the output is for logs.
#[expect(clippy::print_stderr, reason = "whoever has started it reads a line")]
pub(super) async fn serve(router: Router) -> Result<()> {
    let listener = net::TcpListener::bind("127.0.0.1:0").await?;
    eprintln!("{}", listener.local_addr()?);
    axum::serve(without_delay(listener), router)
        .await
        .context("ended")
}
