//! The drill of a restore, on this machine.

use anyhow::Result;
use clap::Args;

use crate::command::{program, require};

/// How it is done.
#[derive(Args)]
pub(crate) struct DrillArguments {
    /// Documents at least.
    #[arg(long, default_value_t = 10_000)]
    documents: u32,
    /// Only this fault, after the drill without one; all when none is named.
    #[arg(long = "fault", value_name = "NAME")]
    faults: Vec<String>,
}

/// Builds it and runs it.
pub(crate) fn run(arguments: &DrillArguments) -> Result<()> {
    let run = [
        "run",
        "--quiet",
        "-p",
        "emulator-tests",
        "--bin",
        "rehearsal",
        "--",
    ];
    let mut command = program("cargo", &run);
    command.args(["--documents", &arguments.documents.to_string()]);
    for fault in &arguments.faults {
        command.args(["--fault", fault]);
    }
    require(command)
}
