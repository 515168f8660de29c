//! How images are built.

use anyhow::Result;

use crate::{
    command::{program, require},
    setup,
};

/// Checks the Dockerfile.
pub(super) fn run() -> Result<()> {
    let hadolint = setup::deployment_program("hadolint");
    require(program(&hadolint, &["Dockerfile"]))
}
