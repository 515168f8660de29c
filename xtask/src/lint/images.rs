//! How images are built and rolled out.

use std::fs;

use anyhow::{Context, Result};

use crate::{
    command::{program, require, root},
    setup,
};

/// Checks the Dockerfile and the scripts.
pub(super) fn run() -> Result<()> {
    let hadolint = setup::deployment_program("hadolint");
    require(program(&hadolint, &["Dockerfile"]))?;
    let mut shellcheck = program(&setup::deployment_program("shellcheck"), &[]);
    for script in fs::read_dir(root().join("scripts")).context("no scripts")? {
        shellcheck.arg(script?.path());
    }
    require(shellcheck)
}
