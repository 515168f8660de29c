//! A function in an otherwise empty root, as nobody, asked whether it is healthy.

use std::{
    fs,
    net::TcpListener,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::layout::{Layout, PROGRAM};
use crate::command::{exists, root, succeeds};

/// By its path: without an environment there is none to be searched.
const CHROOT: &str = "/usr/sbin/chroot";

/// The account of distroless' `nonroot`.
const NOBODY: &str = "65532:65532";

/// Cloud Run gives up after four minutes; here nothing else is asked for.
const PATIENCE: Duration = Duration::from_secs(30);

/// An odd number, for the median.
const STARTS: usize = 5;

const PAUSE: Duration = Duration::from_millis(2);

/// What every function can start with; nothing is there to be reached, and none of it is a secret.
pub(crate) const START: [(&str, &str); 16] = [
    ("APP_URL", "http://localhost:5173"),
    ("CLOUD_TASKS_EMULATOR_HOST", "127.0.0.1:1"),
    ("EMAIL_FROM", "hello@infinity-x.localhost"),
    ("FIREBASE_AUTH_EMULATOR_HOST", "127.0.0.1:1"),
    ("FIRESTORE_EMULATOR_HOST", "127.0.0.1:1"),
    ("GOOGLE_CLOUD_PROJECT", "demo-infinity-x"),
    ("LOCAL_MAC_KEY", "local"),
    ("OPENAI_API_KEY", "local"),
    ("SENDGRID_API_KEY", "local"),
    ("STRIPE_API_KEY", "sk_test_local"),
    (
        "STRIPE_EVENTS_QUEUE",
        "projects/demo-infinity-x/locations/local/queues/stripe-events",
    ),
    ("STRIPE_EVENTS_TARGET_URL", "http://127.0.0.1:1"),
    ("STRIPE_LIVEMODE", "false"),
    ("STRIPE_WEBHOOK_SECRETS", "whsec_local"),
    (
        "TASKS_QUEUE",
        "projects/demo-infinity-x/locations/local/queues/executions",
    ),
    ("TASKS_TARGET_URL", "http://127.0.0.1:1"),
];

/// What a trial has shown.
pub(super) struct Trial {
    pub(super) healthy_after: Duration,
    pub(super) memory_bytes: u64,
}

impl Trial {
    /// Starts the function some times, of which the median counts; a job serves nothing, and only tells its usage.
    pub(super) fn run(function: &str, layout: &Layout) -> Result<Option<Self>> {
        if !is_service(function) {
            let mut help = command(layout);
            help.arg("--help");
            return match succeeds(help) {
                true => Ok(None),
                false => bail!("{function} does not run alone"),
            };
        }
        let trials = (0..STARTS).map(|_| Self::start(function, layout));
        let mut trials = trials.collect::<Result<Vec<_>>>()?;
        trials.sort_by_key(|trial| trial.healthy_after);
        Ok(Some(trials.swap_remove(STARTS / 2)))
    }

    fn start(function: &str, layout: &Layout) -> Result<Self> {
        let port = free_port()?;
        let mut start = command(layout);
        start.env("PORT", port.to_string());
        let begun = Instant::now();
        let mut child = start
            .spawn()
            .with_context(|| format!("cannot start {CHROOT}"))?;
        let trial = watch(&mut child, port, begun);
        child.kill().context("cannot end the function")?;
        child.wait()?;
        trial.with_context(|| format!("{function} is not healthy alone"))
    }
}

/// What has an HTTP door is a service.
fn is_service(function: &str) -> bool {
    let functions = root().join("functions");
    functions.join(function).join("src/handler.rs").exists()
        || functions.join(function).join("src/routes.rs").exists()
}

/// Nothing is mounted, and nothing of this machine's environment is there. `chroot` becomes the program, so that its
/// process is the program's.
fn command(layout: &Layout) -> Command {
    let mut command = Command::new(CHROOT);
    command
        .arg(format!("--userspec={NOBODY}"))
        .arg(&layout.root)
        .arg(format!("/{PROGRAM}"))
        .env_clear()
        .envs(START)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit());
    command
}

fn watch(child: &mut Child, port: u16, begun: Instant) -> Result<Trial> {
    if !exists("curl") {
        bail!("install curl first");
    }
    while begun.elapsed() < PATIENCE {
        if is_healthy(port) {
            return Ok(Trial {
                healthy_after: begun.elapsed(),
                memory_bytes: memory_bytes(child.id())?,
            });
        }
        if let Some(status) = child.try_wait()? {
            bail!("it has ended: {status}");
        }
        thread::sleep(PAUSE);
    }
    bail!("it does not answer")
}

fn is_healthy(port: u16) -> bool {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--fail", "--max-time", "2", "--noproxy", "*"])
        .arg(format!("http://127.0.0.1:{port}/healthz"));
    succeeds(curl)
}

/// What it has in memory (<https://man7.org/linux/man-pages/man5/proc_pid_status.5.html>).
fn memory_bytes(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    let kilobytes: u64 = kilobytes.context("no VmRSS")?.parse()?;
    Ok(kilobytes * 1024)
}

/// A port that was free a moment ago: Cloud Run names a port as well.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no port is free")?;
    Ok(listener.local_addr()?.port())
}
