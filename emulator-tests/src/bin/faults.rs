//! `cargo xtask faults`: the fault tests at full size.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use emulator_tests::faults::{
    scenario::{
        Ground, Outcome, budget, duplicates, failures, flaws, kills, outages, poison, shutdowns,
        zombies,
    },
    size::Size,
};
use execute_workflow::fault_points::Flaw;
use indicatif::{ProgressBar, ProgressStyle};

#[derive(Parser)]
#[command(about = "Kills workers and looks whether anything is lost, doubled or stuck")]
struct Arguments {
    /// 1,000 kills; without it, the size of CI.
    #[arg(long)]
    full: bool,
    /// Rolls the faults of an earlier run again.
    #[arg(long)]
    seed: Option<u64>,
    /// Only the scenarios whose name contains this.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// The worker; beside this program unless named.
    #[arg(long, value_name = "PATH")]
    worker: Option<PathBuf>,
}

/// A scenario that can be chosen by its name.
#[derive(Clone, Copy)]
enum Scenario {
    Kills,
    Failures,
    Duplicates,
    Zombies,
    Poison,
    Outages,
    Shutdowns,
    Budget,
    Sound,
    Broken(Flaw),
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let seed = arguments.seed.unwrap_or_else(rand::random);
    print_line(&format!("seed {seed}"));
    let size = if arguments.full { Size::FULL } else { Size::CI };
    let program = match arguments.worker {
        Some(program) => program,
        None => std::env::current_exe()?.with_file_name("fault_worker"),
    };
    let mut outcomes = Vec::new();
    for scenario in Scenario::all() {
        let is_chosen = |only: &String| scenario.name().contains(only.as_str());
        if arguments.only.as_ref().is_none_or(is_chosen) {
            let progress = progress_of(scenario, &size)?;
            let ground = Ground {
                program: program.clone(),
                seed,
                progress,
            };
            let outcome = scenario.run(&ground, &size).await;
            ground.progress.finish_and_clear();
            let outcome = outcome.with_context(|| scenario.name())?;
            print_line(&outcome.to_string());
            outcomes.push(outcome);
        }
    }
    ensure!(!outcomes.is_empty(), "no scenario has this name");
    let broken = outcomes.iter().filter(|outcome| !outcome.holds()).count();
    print_line(&format!(
        "{} held, {broken} broken",
        outcomes.len() - broken
    ));
    ensure!(broken == 0, "seed {seed} breaks {broken} promises");
    Ok(())
}

impl Scenario {
    fn all() -> Vec<Self> {
        let promises = [
            Self::Kills,
            Self::Failures,
            Self::Duplicates,
            Self::Zombies,
            Self::Poison,
            Self::Outages,
            Self::Shutdowns,
            Self::Budget,
            Self::Sound,
        ];
        let broken = Flaw::ALL.map(Self::Broken);
        promises.into_iter().chain(broken).collect()
    }

    fn name(self) -> String {
        match self {
            Self::Kills => "kills".to_owned(),
            Self::Failures => "failures".to_owned(),
            Self::Duplicates => "duplicates".to_owned(),
            Self::Zombies => "zombies".to_owned(),
            Self::Poison => "poison".to_owned(),
            Self::Outages => "outages".to_owned(),
            Self::Shutdowns => "shutdowns".to_owned(),
            Self::Budget => "budget".to_owned(),
            Self::Sound => "sound".to_owned(),
            Self::Broken(flaw) => format!("broken {}", flaw.as_str()),
        }
    }

    async fn run(self, ground: &Ground, size: &Size) -> Result<Outcome> {
        match self {
            Self::Kills => kills::run(ground, size).await,
            Self::Failures => failures::run(ground, size).await,
            Self::Duplicates => duplicates::run(ground, size).await,
            Self::Zombies => zombies::run(ground, size).await,
            Self::Poison => poison::run(ground, size).await,
            Self::Outages => outages::run(ground, size).await,
            Self::Shutdowns => shutdowns::run(ground, size).await,
            Self::Budget => budget::run(ground, size).await,
            Self::Sound => flaws::run_sound(ground).await,
            Self::Broken(flaw) => flaws::run(ground, size, flaw).await,
        }
    }

    /// How many rounds its progress bar counts.
    fn rounds(self, size: &Size) -> usize {
        match self {
            Self::Kills => size.kills(),
            Self::Zombies => size.zombies,
            Self::Outages => 2,
            Self::Shutdowns => size.shutdowns,
            Self::Budget => size.budget_kills / 2,
            _ => 1,
        }
    }
}

fn progress_of(scenario: Scenario, size: &Size) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{msg:20} {bar:32} {pos}/{len} {elapsed}")?;
    let rounds = u64::try_from(scenario.rounds(size))?;
    let progress = ProgressBar::new(rounds).with_style(style);
    progress.set_message(scenario.name());
    Ok(progress)
}

#[expect(
    clippy::print_stdout,
    reason = "a command line tool talks through its output"
)]
fn print_line(line: &str) {
    println!("{line}");
}
