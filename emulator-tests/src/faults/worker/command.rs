//! What the harness tells a worker, a line each on its standard input.

use std::{
    fmt,
    io::BufRead,
    str::FromStr,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, Result};
use execute_workflow::fault_points::KillPoint;
use rustix::process::{Signal, getpid, kill_process};

/// What the harness tells a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// End at a point, the `nth` time it is reached.
    Arm {
        /// Where.
        point: KillPoint,
        /// From 1.
        nth: u32,
    },
}

/// A line that is no command.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected `arm <point> <nth>`")]
pub struct InvalidCommand;

impl FromStr for Command {
    type Err = InvalidCommand;

    fn from_str(line: &str) -> Result<Self, InvalidCommand> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["arm", name, nth] = words.as_slice() else {
            return Err(InvalidCommand);
        };
        let point = KillPoint::ALL
            .into_iter()
            .find(|point| point.as_str() == *name);
        Ok(Self::Arm {
            point: point.ok_or(InvalidCommand)?,
            nth: nth.parse().map_err(|_| InvalidCommand)?,
        })
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Arm { point, nth } = self;
        write!(f, "arm {} {nth}", point.as_str())
    }
}

impl Command {
    fn obey(self) -> Result<()> {
        let Self::Arm { point, nth } = self;
        let reached = AtomicU32::new(0);
        let end = move || {
            if reached.fetch_add(1, Ordering::Relaxed) + 1 == nth {
                end_at_once();
            }
        };
        fail::cfg_callback(point.as_str(), end).map_err(anyhow::Error::msg)
    }
}

/// Obeys commands on a thread of its own. When the input ends, the harness has gone, and a worker
/// must not outlive it.
pub(super) fn obey_in_background() -> Result<()> {
    let obey_all = || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let obeyed = line.parse::<Command>().context("a line on the input");
            if let Err(error) = obeyed.and_then(Command::obey) {
                tracing::error!(%error, "a command cannot be obeyed");
            }
        }
        end_at_once();
    };
    let thread = std::thread::Builder::new().name("commands".to_owned());
    thread.spawn(obey_all).context("cannot start a thread")?;
    Ok(())
}

/// As `kill -9` does: nothing is flushed, dropped or told to anyone.
pub(super) fn end_at_once() {
    let _ = kill_process(getpid(), Signal::KILL);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_reads_as_it_is_written() {
        for point in KillPoint::ALL {
            let command = Command::Arm { point, nth: 3 };
            assert_eq!(command.to_string().parse(), Ok(command));
        }
        assert_eq!("arm nowhere 1".parse::<Command>(), Err(InvalidCommand));
    }
}
