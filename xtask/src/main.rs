//! `cargo xtask`: set-up and checks, for people and CI alike.

mod advisories;
#[cfg(test)]
mod agreement;
mod alerts;
mod bench;
mod command;
mod docs;
mod drill;
mod faults;
mod fuzz;
mod image;
mod lint;
mod production;
mod sbom;
#[cfg(test)]
mod scripts;
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
    /// Restores a database on this machine, compares the two, and plants what must not pass.
    Drill(drill::DrillArguments),
    /// Kills workers, and looks whether anything is lost, doubled or stuck.
    Faults(faults::FaultArguments),
    /// Lays out images without a daemon, runs each alone, and prints sizes, starts and memory.
    Image(image::ImageArguments),
    /// Checks format, lints, the floor plan, dependencies, images and Terraform.
    Lint {
        /// Only images and Terraform.
        #[arg(long)]
        deployment: bool,
    },
    /// Compares dependencies with the known weaknesses of RustSec.
    Advisories(advisories::AdvisoryArguments),
    /// Looks at what Terraform cannot see to: secrets, certificate, Stripe, Google's consent.
    CheckProduction(production::ProductionArguments),
    /// Lists what is in the images.
    Sbom,
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
        Task::Drill(arguments) => drill::run(&arguments),
        Task::Faults(arguments) => faults::run(&arguments),
        Task::Image(arguments) => image::run(&arguments),
        Task::Lint { deployment: true } => lint::deployment(),
        Task::Lint { deployment: false } => lint::run(),
        Task::Advisories(arguments) => advisories::run(&arguments),
        Task::CheckProduction(arguments) => production::run(&arguments),
        Task::Sbom => sbom::run(),
        Task::Bench { subject } => bench::run(&subject),
        Task::Fuzz { minutes } => fuzz::run(minutes),
    }
}
