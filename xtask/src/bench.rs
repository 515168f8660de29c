//! Load programs, built for speed.

use anyhow::Result;

use crate::{
    command::{program, require},
    setup,
};

/// Builds and runs the measurement of one subject.
pub(crate) fn run(subject: &str) -> Result<()> {
    let mut packages = vec!["emulator-tests"];
    if subject == "edge" {
        setup::install_node_bench()?;
        packages.push("handle-stripe-webhook");
    }
    let mut build = vec!["build", "--profile", "bench", "--bins"];
    build.extend(packages.iter().flat_map(|package| ["--package", package]));
    require(program("cargo", &build))?;
    require(program("target/release/bench", &[subject]))
}
