//! The alerts as they stand in the Terraform files.

use std::fs;

use anyhow::{Context, Result};
use hcl::{
    Body, Expression,
    eval::{Context as Scope, Evaluate},
};

use crate::command::root;

const FILE: &str = "terraform/modules/observability/alerts.tf";

/// One of them.
pub(crate) struct Alert {
    /// What it is called, as is its runbook.
    pub(crate) name: String,
    /// When it fires, in PromQL.
    pub(crate) query: String,
    /// For how long that has to hold.
    pub(crate) wait_seconds: u64,
}

/// Reads all of them.
pub(crate) fn read() -> Result<Vec<Alert>> {
    let text = fs::read_to_string(root().join(FILE)).with_context(|| format!("no {FILE}"))?;
    let body = hcl::parse(&text).with_context(|| format!("{FILE} cannot be read"))?;
    let alerts = local(&body, "alerts").with_context(|| format!("{FILE} has no alerts"))?;
    let alerts = alerts.evaluate(&Scope::new())?;
    let alerts = alerts.as_object().context("the alerts are no object")?;
    alerts
        .iter()
        .map(|(name, alert)| parse(name, alert))
        .collect()
}

fn parse(name: &str, alert: &hcl::Value) -> Result<Alert> {
    let field = |field: &str| {
        let fields = alert.as_object()?;
        fields.get(field)
    };
    let query = field("query").and_then(hcl::Value::as_str);
    let wait = field("wait_seconds").and_then(hcl::Value::as_u64);
    Ok(Alert {
        name: name.to_owned(),
        query: query
            .with_context(|| format!("{name} has no query"))?
            .to_owned(),
        wait_seconds: wait.with_context(|| format!("{name} has no wait_seconds"))?,
    })
}

/// A value of a file's `locals`.
pub(crate) fn local<'body>(body: &'body Body, name: &str) -> Option<&'body Expression> {
    let blocks = body.blocks().filter(|block| block.identifier() == "locals");
    let mut attributes = blocks.flat_map(|block| block.body().attributes());
    attributes
        .find(|attribute| attribute.key() == name)
        .map(hcl::Attribute::expr)
}
