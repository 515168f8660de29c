//! The static half of the checks.

mod images;
mod terraform;

use anyhow::{Result, bail};

use crate::{
    command::{exists, program, require},
    setup,
};

/// Format, lints, floor plan, dependencies, images and Terraform.
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
    ))?;
    deployment()
}

/// What is deployed, and how.
pub(crate) fn deployment() -> Result<()> {
    setup::install_for_deployment()?;
    images::run()?;
    terraform::run()
}
