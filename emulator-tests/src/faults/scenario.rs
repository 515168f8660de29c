//! The promises, each tried in a world of its own.

pub mod budget;
mod drill;
pub mod duplicates;
pub mod failures;
pub mod flaws;
pub mod kills;
pub mod outages;
pub mod poison;
pub mod shutdowns;
pub mod zombies;

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::ProgressBar;

use super::chance::Chance;
use super::checker::{self, Verdict};
use super::plan::Plan;
use super::world::{Setup, World};

/// Violations that a report names; the rest is counted.
const NAMED: usize = 8;

/// What every scenario needs.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The worker's program.
    pub program: PathBuf,
    /// What decides all chance.
    pub seed: u64,
    /// Where rounds are shown.
    pub progress: ProgressBar,
}

/// What came of a scenario.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The promise.
    pub name: String,
    /// How it was broken; nothing when it held.
    pub problems: Vec<String>,
    /// What happened, for the report.
    pub facts: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

impl Ground {
    fn setup(&self, plans: Vec<Plan>) -> Setup {
        Setup::new(self.program.clone(), self.seed, plans)
    }

    fn chance(&self, part: &str) -> Chance {
        Chance::new(self.seed, part)
    }
}

impl Outcome {
    /// Whether the promise held.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.problems.is_empty()
    }

    fn of(name: &str, started: Instant, verdict: &Verdict) -> Self {
        let problems = verdict.violations.iter().take(NAMED);
        let mut problems: Vec<String> = problems.map(ToString::to_string).collect();
        let more = verdict.violations.len().saturating_sub(NAMED);
        if more > 0 {
            problems.push(format!("and {more} more"));
        }
        let tally = verdict.tally;
        let facts = vec![
            format!("{} executions", tally.executions),
            format!("{} succeeded", tally.succeeded),
            format!("{} quarantined", tally.quarantined),
            format!("{} failed", tally.failed),
            format!("{} unknown steps", tally.unknown),
            format!("{} effects", tally.effects),
            format!("{} harmless repeats", tally.repeats),
            format!("highest fence {}", tally.highest_fence),
        ];
        Self {
            name: name.to_owned(),
            problems,
            facts,
            took: started.elapsed(),
        }
    }

    fn fact(&mut self, fact: impl Into<String>) {
        self.facts.push(fact.into());
    }

    /// Adds a problem unless something holds.
    fn require(&mut self, holds: bool, problem: impl FnOnce() -> String) {
        if !holds {
            self.problems.push(problem());
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.holds() { "holds" } else { "BROKEN" };
        let (name, seconds) = (&self.name, self.took.as_secs());
        write!(
            f,
            "{name}: {verdict} in {seconds} s ({})",
            self.facts.join(", ")
        )?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

/// What the checker says of a world as it is.
fn judge(world: &World) -> Result<Verdict> {
    checker::check(&world.evidence()?)
}
