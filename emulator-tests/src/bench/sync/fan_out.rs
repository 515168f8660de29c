//! One tick for many accounts, in a process of its own: the memory of the function is told apart from
//! that of the database.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use futures::stream::{self, StreamExt, TryStreamExt};
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};
use shared::{
    config::Env,
    models::SystemPrincipal,
    store::{Page, Store},
};
use tokio::process::Command;

use super::{PROJECT_ID, accounts::Accounts, service::Service};
use crate::bench::{database::Database, process};

/// The subject that [`tick_here`] is.
const SUBJECT: &str = "fan-out";
/// The variable with the database's address.
const HOST: &str = "FIRESTORE_EMULATOR_HOST";

/// What each account has.
const MAILS: usize = 5;
const FILES: usize = 1;

/// Messages that are delivered at once, as many as Cloud Run gives an instance.
const AT_ONCE: usize = 80;

const CALLER: SystemPrincipal = SystemPrincipal { function: "bench" };

/// What the process tells that has done it.
#[derive(Deserialize, Serialize)]
struct Told {
    wall: Duration,
    /// Memory before the tick, in bytes.
    before: u64,
    /// The most memory, in bytes.
    peak: u64,
}

/// Measures one tick for each of these numbers of accounts.
pub(super) async fn measure(counts: [usize; 2], progress: &ProgressBar) -> Result<Vec<String>> {
    let mut lines = vec![
        "| accounts | hang or fail | synced | wall | memory before | peak |".to_owned(),
        format!("|{}", "---|".repeat(6)),
    ];
    let mut peaks = Vec::new();
    for count in counts {
        let (synced, told) = run(count).await?;
        let spoilt = Accounts::spoilt(count);
        ensure!(synced == count - spoilt, "{synced} of {count} are synced");
        let [before, peak] = [told.before, told.peak].map(mebibytes);
        lines.push(format!(
            "| {count} | {spoilt} | {synced} | {:.2?} | {before:.0} MiB | {peak:.0} MiB |",
            told.wall
        ));
        peaks.push(peak);
        progress.inc(1);
    }
    if let [few, many] = peaks[..] {
        lines.push(String::new());
        lines.push(format!("peak of the second ÷ the first: {:.2}", many / few));
    }
    Ok(lines)
}

/// A tick for so many accounts; how many of them are synced then.
async fn run(count: usize) -> Result<(usize, Told)> {
    let database = Database::start(PROJECT_ID, None).await?;
    let host = database.host();
    let service = Service::new(&host, accounts())?;
    for number in 1..=count {
        service.connect(number).await?;
    }
    let told = Command::new(std::env::current_exe()?)
        .arg(SUBJECT)
        .env_clear()
        .env(HOST, &host)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await?;
    ensure!(
        told.status.success(),
        "the tick has failed: {}",
        told.status
    );
    let told = serde_json::from_slice(&told.stdout).context("the tick tells nothing")?;
    let synced = count_synced(&service.store).await?;
    database.stop().await?;
    Ok((synced, told))
}

/// Ticks and delivers all that this publishes, and returns the line that tells what it took.
///
/// # Errors
/// Returns what could not be run.
pub async fn tick_here() -> Result<Vec<String>> {
    let service = Service::new(Env::from_process().required(HOST)?, accounts())?;
    let (started, before) = (Instant::now(), process::resident_bytes()?);
    let messages = service.tick().await?;
    let deliveries = stream::iter(&messages).map(|message| service.deliver(message));
    let deliveries = deliveries.buffer_unordered(AT_ONCE);
    deliveries.try_for_each(|()| async { Ok(()) }).await?;
    let told = Told {
        wall: started.elapsed(),
        before,
        peak: process::peak_bytes()?,
    };
    Ok(vec![serde_json::to_string(&told)?])
}

fn accounts() -> Accounts {
    Accounts::with_spoilt(MAILS, FILES)
}

async fn count_synced(store: &Store) -> Result<usize> {
    let (mut synced, mut page) = (0, Page::first(300));
    loop {
        let listing = store.list_active_google_integrations(&CALLER, &page);
        let listing = listing.await?;
        let integrations = listing.items.iter();
        synced += integrations
            .filter(|found| found.last_sync.is_some())
            .count();
        page.after = listing.next;
        if page.after.is_none() {
            return Ok(synced);
        }
    }
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
