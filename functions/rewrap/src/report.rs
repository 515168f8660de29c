use std::{collections::BTreeMap, fmt};

use indicatif::{ProgressBar, ProgressStyle};

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is under the primary version now.
    Rewrapped,
    /// It was before.
    Already,
    /// It was deleted meanwhile.
    Gone,
    /// Its version is gone for good, and it says so now.
    Lost,
    /// It has said so before.
    KnownLost,
    /// It cannot be opened, for whatever other reason.
    Unopenable,
    /// It could not be read or written.
    Failed,
}

/// What came of a run.
pub(crate) struct Report {
    looked_at: u64,
    rewrapped: u64,
    already: u64,
    lost_races: u64,
    lost: u64,
    known_lost: u64,
    unopenable: u64,
    failed: u64,
    /// Texts by the version of the key that they are under now.
    versions: BTreeMap<String, u64>,
    progress: ProgressBar,
}

impl Report {
    /// An empty report, and a sign of life on a terminal.
    pub(crate) fn new() -> Self {
        Self {
            looked_at: 0,
            rewrapped: 0,
            already: 0,
            lost_races: 0,
            lost: 0,
            known_lost: 0,
            unopenable: 0,
            failed: 0,
            versions: BTreeMap::new(),
            progress: progress_bar(),
        }
    }

    pub(crate) fn add(&mut self, outcome: Outcome, versions: Vec<String>, lost_races: u64) {
        self.looked_at += 1;
        self.lost_races += lost_races;
        match outcome {
            Outcome::Rewrapped => self.rewrapped += 1,
            Outcome::Already => self.already += 1,
            Outcome::Gone => {}
            Outcome::Lost => self.lost += 1,
            Outcome::KnownLost => self.known_lost += 1,
            Outcome::Unopenable => self.unopenable += 1,
            Outcome::Failed => self.failed += 1,
        }
        for version in versions {
            *self.versions.entry(version).or_default() += 1;
        }
        self.progress.inc(1);
    }

    /// Whether everything that can be done was done. Records that are lost are told once.
    pub(crate) fn is_complete(&self) -> bool {
        self.lost + self.unopenable + self.failed == 0
    }

    #[expect(clippy::print_stdout, reason = "a command talks through its output")]
    pub(crate) fn print(&self) {
        self.progress.finish_and_clear();
        println!("{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            looked_at,
            rewrapped,
            already,
            lost_races,
            failed,
            ..
        } = self;
        let lost = self.lost + self.known_lost;
        let unopenable = self.unopenable + lost;
        write!(
            f,
            "looked at {looked_at}, rewrapped {rewrapped}, already {already}, \
             lost races {lost_races}, unopenable {unopenable} (under a destroyed version {lost}), \
             failed {failed}"
        )?;
        for (version, texts) in &self.versions {
            write!(f, "\n{texts} under {version}")?;
        }
        Ok(())
    }
}

/// Drawn on a terminal only. How many records there are nobody knows before the end.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::no_length();
    match ProgressStyle::with_template("{spinner} {pos} looked at, {per_sec}, {elapsed}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
