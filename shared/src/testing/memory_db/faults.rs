use std::time::Duration;

use crate::store::{Error, document_db::DocumentPath};

/// Which calls are to fail.
#[derive(Debug, Default)]
pub(super) struct Faults {
    spared: usize,
    commits: usize,
    applied: bool,
    all: bool,
    unreadable: Vec<String>,
    delay: Duration,
}

/// A commit that is to report an unavailable database.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    /// Whether it takes effect all the same.
    pub(super) applied: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("a test has made the database unavailable")]
struct Injected;

impl Faults {
    pub(super) fn fail_commits(&mut self, spared: usize, count: usize, applied: bool) {
        self.spared = spared;
        self.commits = count;
        self.applied = applied;
    }

    pub(super) fn fail_all(&mut self, unavailable: bool) {
        self.all = unavailable;
    }

    pub(super) fn delay_all(&mut self, delay: Duration) {
        self.delay = delay;
    }

    pub(super) fn delay(&self) -> Duration {
        self.delay
    }

    pub(super) fn fail_reads_of(&mut self, path: &DocumentPath) {
        self.unreadable.push(path.as_str().to_owned());
    }

    pub(super) fn check_read_of(&self, path: &DocumentPath) -> Result<(), Error> {
        let mut unreadable = self.unreadable.iter();
        match unreadable.any(|unreadable| unreadable == path.as_str()) {
            true => Err(unavailable()),
            false => Ok(()),
        }
    }

    pub(super) fn check_read(&self) -> Result<(), Error> {
        if self.all { Err(unavailable()) } else { Ok(()) }
    }

    pub(super) fn next_commit(&mut self) -> Option<Fault> {
        if self.all {
            return Some(Fault { applied: false });
        }
        if self.commits > 0 && self.spared > 0 {
            self.spared -= 1;
            return None;
        }
        self.commits = self.commits.checked_sub(1)?;
        Some(Fault {
            applied: self.applied,
        })
    }
}

pub(super) fn unavailable() -> Error {
    Error::Unavailable(Box::new(Injected))
}
