//! What is known to be unsafe.

use std::{path::Path, process::Command};

use anyhow::Result;

use super::workbench::{Outcome, Workbench, run as run_check};
use crate::{command::root, setup};

/// A plan has no settings for the logs of buckets, which checkov takes for a bucket that logs to itself.
const MISUNDERSTOOD: &str = "CKV_GCP_63";

/// Looks through a plan; what the sources say is accepted is passed over.
pub(super) fn run(workbench: &Workbench, plan: &Path) -> Result<Outcome<()>> {
    let mut checkov = Command::new(root().join(setup::deployment_program("checkov")));
    checkov
        .args(["--framework", "terraform_plan", "--skip-download"])
        .args(["--quiet", "--compact", "--skip-check", MISUNDERSTOOD])
        .arg("--file")
        .arg(plan)
        .arg("--external-checks-dir")
        .arg(root().join("xtask/terraform/policies"))
        .arg("--repo-root-for-plan-enrichment")
        .arg(workbench.path("terraform"))
        .env("LOG_LEVEL", "ERROR");
    run_check(checkov)
}
