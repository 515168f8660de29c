//! `terraform/` without an account: format, schemas, references, misconfiguration, alerts.

mod alerts;
mod examples;
mod owner;
mod planted;
mod scan;
mod workbench;

use anyhow::{Result, bail};

use self::workbench::Workbench;
use crate::command::{exists, program, report, require};

/// Both are planned, each with its own variables.
const ENVIRONMENTS: [&str; 2] = ["staging", "production"];

/// Checks what is deployed, and that the checks notice what they are for.
pub(super) fn run() -> Result<()> {
    if !exists("terraform") {
        bail!("what is deployed cannot be checked: install Terraform 1.11 or later first");
    }
    require(program(
        "terraform",
        &["fmt", "-check", "-diff", "-recursive", "terraform"],
    ))?;
    let workbench = Workbench::new()?;
    for environment in ENVIRONMENTS {
        let plan = workbench.plan(environment)?.accept()?;
        scan::run(&workbench, &plan)?.accept()?;
        report(&format!("{environment}: planned, nothing is misconfigured"));
        if environment == "production" {
            owner::run(&workbench, &plan)?;
        }
    }
    examples::run(&workbench)?;
    alerts::run(&workbench)?;
    planted::run()
}
