//! What processes have used, as Linux tells (<https://man7.org/linux/man-pages/man5/proc.5.html>).

use std::{ops::Div, time::Duration};

use anyhow::{Context, Result};

/// Processor time of this process's threads so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CpuTime {
    /// Of those of one name.
    pub(super) named: Duration,
    /// Of all others.
    pub(super) others: Duration,
}

impl CpuTime {
    /// What was used since.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            named: self.named.saturating_sub(earlier.named),
            others: self.others.saturating_sub(earlier.others),
        }
    }

    pub(super) fn all(self) -> Duration {
        self.named + self.others
    }
}

impl Div<u32> for CpuTime {
    type Output = Self;

    fn div(self, by: u32) -> Self {
        Self {
            named: self.named / by,
            others: self.others / by,
        }
    }
}

/// What this process has used, that of threads called `name` apart.
pub(super) fn cpu_time(name: &str) -> Result<CpuTime> {
    cpu_time_in("self", name)
}

/// What another process has used, as far as its threads still run.
pub(super) fn cpu_time_of(pid: u32) -> Result<Duration> {
    Ok(cpu_time_in(&pid.to_string(), "")?.all())
}

fn cpu_time_in(process: &str, name: &str) -> Result<CpuTime> {
    let mut sum = CpuTime::default();
    for task in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let task = task?.path();
        // Nanoseconds on a processor, and two more figures
        // (<https://docs.kernel.org/scheduler/sched-stats.html>).
        let read = |file| std::fs::read_to_string(task.join(file));
        let (Ok(used), Ok(comm)) = (read("schedstat"), read("comm")) else {
            // The thread has ended meanwhile.
            continue;
        };
        let used = used.split(' ').next().context("no time")?.parse()?;
        let part = match comm.trim_end() == name {
            true => &mut sum.named,
            false => &mut sum.others,
        };
        *part += Duration::from_nanos(used);
    }
    Ok(sum)
}

/// Memory that is in use, in bytes.
pub(super) fn resident_bytes() -> Result<u64> {
    status_bytes("self", "VmRSS:")
}

/// Memory that another process has in use, in bytes.
pub(super) fn resident_bytes_of(pid: u32) -> Result<u64> {
    status_bytes(&pid.to_string(), "VmRSS:")
}

/// The most memory that was in use at any time, in bytes.
pub(super) fn peak_bytes() -> Result<u64> {
    status_bytes("self", "VmHWM:")
}

fn status_bytes(process: &str, field: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kilobytes = line.context(field.to_owned())?.trim();
    let kilobytes = kilobytes.trim_end_matches(" kB");
    Ok(kilobytes.parse::<u64>()? * 1024)
}
