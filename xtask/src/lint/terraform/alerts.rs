//! The alerts' queries on made-up series, as they stand in the Terraform files.

use std::{fs, process::Command};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::workbench::{Outcome, Workbench, run as run_check};
use crate::{
    alerts::{self, Alert},
    command::report,
};

/// The series, and which alerts fire on them; `promtool` reads the rules from beside it.
const TESTS: &str = "terraform/modules/observability/tests/alerts.yml";

const RULES: &str = "terraform/modules/observability/tests/rules.json";

/// Holds at no time, and at all times.
const FAULTS: [&str; 2] = ["vector(1) < 0", "vector(1)"];

/// Evaluates the queries, and sees that the series would tell of an alert that never or always fires.
pub(super) fn run(workbench: &Workbench) -> Result<()> {
    let alerts = alerts::read()?;
    let rules: Vec<Value> = alerts.iter().map(rule).collect();
    evaluate(workbench, &rules)?.accept()?;
    for (number, alert) in alerts.iter().enumerate() {
        for fault in FAULTS {
            let mut faulty = rules.clone();
            faulty[number]["expr"] = fault.into();
            let outcome = evaluate(workbench, &faulty)?;
            ensure!(
                outcome.made.is_none(),
                "no series would tell if {} were `{fault}`",
                alert.name
            );
        }
    }
    report(&format!("{} alerts fire when they should", alerts.len()));
    Ok(())
}

fn evaluate(workbench: &Workbench, rules: &[Value]) -> Result<Outcome<()>> {
    let rules = json!({ "groups": [{ "name": "infinity-x", "rules": rules }] });
    fs::write(workbench.path(RULES), rules.to_string()).context("cannot write the rules")?;
    let mut promtool = Command::new("promtool");
    promtool.args(["test", "rules"]).arg(workbench.path(TESTS));
    run_check(promtool)
}

/// Prometheus' form of an alert; its YAML has JSON in it.
fn rule(alert: &Alert) -> Value {
    json!({
        "alert": alert.name,
        "expr": alert.query,
        "for": format!("{}s", alert.wait_seconds),
    })
}
