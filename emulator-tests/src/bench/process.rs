//! What this process has used, as Linux tells (<https://man7.org/linux/man-pages/man5/proc.5.html>).

use std::time::Duration;

use anyhow::{Context, Result};

/// `sysconf(_SC_CLK_TCK)` is 100 on every Linux that Rust's tier 1 covers.
const TICK: Duration = Duration::from_millis(10);

/// Processor time of this process and its threads.
pub(super) fn cpu_time() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(") ").next().context("no fields")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    // Fields 14 and 15, counted from 1; the first two are cut off.
    let ticks =
        |field: usize| -> Result<u32> { Ok(fields.get(field).context("a field")?.parse()?) };
    Ok(TICK * (ticks(11)? + ticks(12)?))
}

/// Memory that is in use, in bytes.
pub(super) fn resident_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.context("no VmRSS")?.trim().trim_end_matches(" kB");
    Ok(kilobytes.trim().parse::<u64>()? * 1024)
}
