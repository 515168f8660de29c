//! `cargo xtask`: set-up and checks, for people and CI alike.

mod bench;
mod command;
mod docs;
mod faults;
mod fuzz;
mod lint;
mod setup;
mod suites;
mod tally;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Set-up and checks of Infinity X")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Installs what the suites need and runs all of them.
    Test,
    /// Writes the documents that are made from the code.
    Docs,
    /// Kills workers, and looks whether anything is lost, doubled or stuck.
    Faults(faults::FaultArguments),
    /// Checks format, lints, the floor plan and dependencies.
    Lint,
    /// Measures, and prints tables.
    Bench {
        /// What to measure: `edge`, `engine`, `router` or `sync`.
        subject: String,
    },
    /// Fuzzes graphs, expressions and URLs; needs a nightly compiler.
    Fuzz {
        /// For each of the three.
        #[arg(long, default_value_t = 10)]
        minutes: u32,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Test => suites::run(),
        Task::Docs => docs::run(),
        Task::Faults(arguments) => faults::run(&arguments),
        Task::Lint => lint::run(),
        Task::Bench { subject } => bench::run(&subject),
        Task::Fuzz { minutes } => fuzz::run(minutes),
    }
}
