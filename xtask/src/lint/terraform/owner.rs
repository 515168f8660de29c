//! What an owner applies before there is a pipeline, and what the pipeline may not make.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::workbench::Workbench;
use crate::command::{report, root};

/// Where the command is.
const GUIDE: &str = "docs/deployment.md";

/// Outputs that the guide reads after the command.
const OUTPUTS: [&str; 2] = ["address", "secret_names"];

type Addresses<'plan> = BTreeSet<&'plan str>;

/// The guide's targets can be planned before there are images, and have all that is in the project of exports, where the
/// pipeline may only look.
pub(super) fn run(workbench: &Workbench, whole: &Path) -> Result<()> {
    let guide = fs::read_to_string(root().join(GUIDE)).context("no guide")?;
    let mut options = vec!["-var", "images={}"];
    options.extend(targets(&guide));
    let part = workbench.plan_part("production", "owner", &options)?;
    let (whole, part) = (read(whole)?, read(&part.accept()?)?);
    let left: Addresses = &in_exports_project(&whole)? - &addresses(&part);
    ensure!(
        left.is_empty(),
        "the pipeline may not make {left:?}: {GUIDE} needs a target"
    );
    for output in OUTPUTS {
        ensure!(
            part["output_changes"].get(output).is_some(),
            "the targets of {GUIDE} do not make the output {output}"
        );
    }
    report("an owner makes what the pipeline may not make");
    Ok(())
}

fn targets(guide: &str) -> impl Iterator<Item = &str> {
    let words = guide.split_whitespace();
    words.filter(|word| word.starts_with("-target="))
}

fn read(plan: &Path) -> Result<Value> {
    let plan = fs::read(plan).context("no plan")?;
    serde_json::from_slice(&plan).context("a plan is no JSON")
}

fn changes(plan: &Value) -> impl Iterator<Item = &Value> {
    plan["resource_changes"].as_array().into_iter().flatten()
}

fn addresses(plan: &Value) -> Addresses<'_> {
    let addresses = changes(plan).map(|change| change["address"].as_str());
    addresses.flatten().collect()
}

/// What is in the project of exports, or about a bucket there.
fn in_exports_project(plan: &Value) -> Result<Addresses<'_>> {
    let project = &plan["variables"]["backup_project"]["value"]["id"];
    ensure!(project.is_string(), "the plan has no project of exports");
    let is_there = |change: &&Value| change["change"]["after"]["project"] == *project;
    let buckets = changes(plan).filter(|change| change["type"] == "google_storage_bucket");
    let buckets: Vec<_> = buckets
        .filter(is_there)
        .map(|bucket| &bucket["change"]["after"]["name"])
        .collect();
    ensure!(!buckets.is_empty(), "the plan has no bucket of exports");
    let found = changes(plan).filter(|change| {
        is_there(change) || buckets.contains(&&change["change"]["after"]["bucket"])
    });
    Ok(found
        .filter_map(|change| change["address"].as_str())
        .collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan(changes: &Value) -> Value {
        json!({
            "variables": {"backup_project": {"value": {"id": "exports", "number": "1"}}},
            "resource_changes": changes,
        })
    }

    #[test]
    fn what_is_in_the_exports_project_is_found_by_its_project_and_by_its_bucket() {
        let plan = plan(&json!([
            {"address": "data.bucket", "type": "google_storage_bucket",
             "change": {"after": {"project": "exports", "name": "kept"}}},
            {"address": "artifacts", "type": "google_storage_bucket",
             "change": {"after": {"project": "p", "name": "artifacts"}}},
            {"address": "reader", "type": "google_storage_bucket_iam_member",
             "change": {"after": {"bucket": "kept"}}},
            {"address": "keeper", "type": "google_storage_bucket_iam_member",
             "change": {"after": {"bucket": "artifacts"}}},
            {"address": "viewer", "type": "google_project_iam_member",
             "change": {"after": {"project": "exports"}}},
        ]));
        let found = in_exports_project(&plan).unwrap();
        assert_eq!(found, BTreeSet::from(["data.bucket", "reader", "viewer"]));
        assert_eq!(addresses(&plan).len(), 5);
    }

    #[test]
    fn a_plan_without_exports_is_refused() {
        assert!(in_exports_project(&plan(&json!([]))).is_err());
        assert!(in_exports_project(&json!({})).is_err());
    }

    #[test]
    fn the_guide_has_targets() {
        let guide = "terraform apply \\\n  -target=module.a -target=module.b \\\n  -x=y";
        let found: Vec<_> = targets(guide).collect();
        assert_eq!(found, ["-target=module.a", "-target=module.b"]);
        let guide = fs::read_to_string(root().join(GUIDE)).unwrap();
        assert!(targets(&guide).next().is_some());
    }
}
