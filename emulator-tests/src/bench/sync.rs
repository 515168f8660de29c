//! `cargo xtask bench sync`: what a mail costs in mailboxes of several sizes, and what many accounts
//! at once take, some of which hang or fail.

mod accounts;
mod fan_out;
mod mails;
mod service;
mod vectors;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use indicatif::ProgressBar;
use shared::models::{KnowledgeKind, SyncState};

pub use self::fan_out::tick_here;
use self::{
    accounts::Accounts,
    service::{Service, integration_of, org_of},
};
use super::{
    database::{DATABASE, Database},
    process::{self, CpuTime},
    rounds::middle,
};

const PROJECT_ID: &str = "demo-bench";

/// Mails of a mailbox. What each costs is compared with the first.
const MAILBOXES: [usize; 4] = [1_000, 2_500, 5_000, 10_000];
const ROUNDS: usize = 3;

/// Accounts that one tick tells of.
const FAN_OUTS: [usize; 2] = [100, 1_000];

/// What the first look at a mailbox has cost.
#[derive(Clone, Copy)]
struct Sample {
    mails: u32,
    wall: Duration,
    cpu: CpuTime,
}

/// Measures, and returns the lines of the report. All sizes are divided by `divisor`, for a trial.
///
/// # Errors
/// Returns what could not be run, or has come out wrong.
pub async fn measure(progress: &ProgressBar, divisor: usize) -> Result<Vec<String>> {
    let divisor = divisor.max(1);
    progress.set_length((ROUNDS * MAILBOXES.len() + FAN_OUTS.len()) as u64);
    let mut samples: Vec<Vec<Sample>> = MAILBOXES.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for (mails, samples) in MAILBOXES.iter().zip(&mut samples) {
            samples.push(mailbox((mails / divisor).max(1)).await?);
            progress.inc(1);
        }
    }
    let mut lines = table(samples);
    lines.push(String::new());
    lines.extend(fan_out::measure(FAN_OUTS.map(|count| (count / divisor).max(1)), progress).await?);
    Ok(lines)
}

/// The first look at a mailbox, on a database of its own.
async fn mailbox(mails: usize) -> Result<Sample> {
    let database = Database::start(PROJECT_ID, None).await?;
    let service = Service::new(&database.host(), Accounts::of_mail(mails))?;
    service.connect(1).await?;
    let (started, cpu) = (Instant::now(), process::cpu_time(DATABASE)?);
    service.sync(1).await?;
    let (wall, cpu) = (started.elapsed(), process::cpu_time(DATABASE)?.since(cpu));
    check(&service, mails).await?;
    database.stop().await?;
    Ok(Sample {
        mails: u32::try_from(mails)?,
        wall,
        cpu,
    })
}

/// Whether all mails are in the index, with their pieces.
async fn check(service: &Service, mails: usize) -> Result<()> {
    let (org_id, id) = (org_of(1)?, integration_of(1));
    let found = service
        .store
        .find_sync_state(&org_id, &id, KnowledgeKind::Gmail);
    let SyncState {
        counts,
        cursor,
        error_cause,
        ..
    } = found.await?.context("nothing was synced")?.value;
    ensure!(error_cause.is_none() && cursor.is_some(), "{error_cause:?}");
    ensure!(counts.documents == i64::try_from(mails)?, "{counts:?}");
    Ok(())
}

fn table(samples: Vec<Vec<Sample>>) -> Vec<String> {
    let mut lines = vec![
        "| mails | wall | mails/s | wall, a mail | ÷ first | CPU of the sync, a mail | ÷ first \
         | CPU of the database, a mail | ÷ first |"
            .to_owned(),
        format!("|{}", "---|".repeat(9)),
    ];
    let medians: Vec<Sample> = samples
        .into_iter()
        .filter_map(|samples| middle(samples, |sample| sample.wall))
        .collect();
    let Some(first) = medians.first() else {
        return lines;
    };
    for sample in &medians {
        let mut columns = vec![
            sample.mails.to_string(),
            format!("{:.2?}", sample.wall),
            format!("{:.0}", f64::from(sample.mails) / sample.wall.as_secs_f64()),
        ];
        for of in [
            (|sample| sample.wall) as fn(&Sample) -> Duration,
            |sample| sample.cpu.others,
            |sample| sample.cpu.named,
        ] {
            let [each, before] = [sample, first].map(|sample| of(sample) / sample.mails);
            columns.push(format!("{each:.2?}"));
            columns.push(format!("{:.2}", each.as_secs_f64() / before.as_secs_f64()));
        }
        lines.push(format!("| {} |", columns.join(" | ")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(mails: u32, millis: u64) -> Sample {
        let wall = Duration::from_millis(millis);
        let cpu = CpuTime {
            named: wall / 2,
            others: wall,
        };
        Sample { mails, wall, cpu }
    }

    #[test]
    fn what_a_mail_costs_is_compared_with_the_smallest_mailbox() {
        let rounds = |mails, millis: [u64; 3]| millis.map(|millis| sample(mails, millis)).into();
        let lines = table(vec![
            rounds(1_000, [9_000, 1_000, 500]),
            rounds(10_000, [20_000, 20_000, 1]),
        ]);
        let expected = [
            "| 1000 | 1.00s | 1000 | 1.00ms | 1.00 | 1.00ms | 1.00 | 500.00µs | 1.00 |",
            "| 10000 | 20.00s | 500 | 2.00ms | 2.00 | 2.00ms | 2.00 | 1.00ms | 2.00 |",
        ];
        assert_eq!(lines[2..], expected);
    }
}
