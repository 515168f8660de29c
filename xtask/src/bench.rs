//! Load programs, built for speed.

use anyhow::Result;

use crate::command::{program, require};

/// Builds and runs the measurement of one subject.
pub(crate) fn run(subject: &str) -> Result<()> {
    let build = ["run", "--profile", "bench", "--package", "emulator-tests"];
    let arguments = [&build[..], &["--bin", "bench", "--", subject]].concat();
    require(program("cargo", &arguments))
}
