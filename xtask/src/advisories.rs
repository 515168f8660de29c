//! Whether a dependency has a known weakness.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::command::{exists, program, require};

const VERSION: &str = "0.22.2";

/// Where the advisories are.
#[derive(Args)]
pub(crate) struct AdvisoryArguments {
    /// A clone of the RustSec advisory database; without it the newest is fetched.
    #[arg(long)]
    database: Option<PathBuf>,
}

/// Compares `Cargo.lock` with the advisories, and fails at each that is not accepted in `.cargo/audit.toml`.
pub(crate) fn run(arguments: &AdvisoryArguments) -> Result<()> {
    if !exists("cargo-audit") {
        bail!("first `cargo install cargo-audit --locked --version {VERSION}`");
    }
    let mut audit = program("cargo", &["audit", "--deny", "warnings"]);
    if let Some(database) = &arguments.database {
        let database = fs::canonicalize(database).context("no such database")?;
        audit.args(["--no-fetch", "--stale", "--db"]).arg(database);
    }
    require(audit)
}
