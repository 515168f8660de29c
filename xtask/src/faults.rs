//! The fault tests, outside of the suites: to see them run, and at full size before a release.

use anyhow::Result;
use clap::Args;

use crate::command::{program, require};

/// How they are run.
#[derive(Args)]
pub(crate) struct FaultArguments {
    /// 1,000 kills instead of 100, and the rest in proportion.
    #[arg(long)]
    full: bool,
    /// Rolls the faults of an earlier run again.
    #[arg(long)]
    seed: Option<u64>,
    /// Only the scenarios whose name contains this.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
}

/// Builds the workers and runs the scenarios.
pub(crate) fn run(arguments: &FaultArguments) -> Result<()> {
    let build = ["build", "--quiet", "-p", "emulator-tests", "--bins"];
    require(program("cargo", &build))?;
    let run = [
        "run",
        "--quiet",
        "-p",
        "emulator-tests",
        "--bin",
        "faults",
        "--",
    ];
    let mut command = program("cargo", &run);
    if arguments.full {
        command.arg("--full");
    }
    if let Some(seed) = arguments.seed {
        command.args(["--seed", &seed.to_string()]);
    }
    if let Some(only) = &arguments.only {
        command.args(["--only", only]);
    }
    require(command)
}
