//! The static half of the checks.

use anyhow::{Result, bail};

use crate::command::{exists, program, require};

/// Format, lints, floor plan, dependencies.
pub(crate) fn run() -> Result<()> {
    require(program("cargo", &["fmt", "--check"]))?;
    let clippy = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ];
    require(program("cargo", &clippy))?;
    require(program(
        "cargo",
        &["test", "--quiet", "-p", "shared", "--test", "floor_plan"],
    ))?;
    if !exists("cargo-deny") {
        bail!("dependencies cannot be checked: `cargo install cargo-deny --locked` first");
    }
    require(program(
        "cargo",
        &["deny", "check", "licenses", "bans", "sources"],
    ))
}
