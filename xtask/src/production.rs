//! What Terraform cannot see to: what people and other companies hold of a deployment.

mod checks;

use std::{fmt, process::Command};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Deserialize;

use crate::command::{capture, program, report};

/// Which deployment is looked at.
#[derive(Args)]
pub(crate) struct ProductionArguments {
    /// Folder of `terraform/environments`.
    #[arg(long, default_value = "production")]
    environment: String,
}

/// What a check came to.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Good(String),
    Bad(String),
    /// What no program can tell, and who looks at it.
    ByHand(String),
}

/// A check by what it is about.
struct Finding {
    subject: String,
    verdict: Verdict,
}

/// `terraform output -json`, as far as it is looked at.
#[derive(Deserialize)]
struct Outputs {
    certificate: Output<String>,
    dead_letters: Output<std::collections::BTreeMap<String, DeadLetters>>,
    domain: Output<String>,
    google_oauth_client_id: Output<Option<String>>,
    project_id: Output<String>,
    secrets: Output<std::collections::BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Output<T> {
    value: T,
}

#[derive(Deserialize)]
struct DeadLetters {
    topic: String,
}

/// Looks at everything, and prints a table.
pub(crate) fn run(arguments: &ProductionArguments) -> Result<()> {
    let outputs = outputs(&arguments.environment)?;
    let findings = checks::all(&outputs);
    for finding in &findings {
        report(&finding.to_string());
    }
    let bad = findings.iter().filter(|finding| finding.is_bad()).count();
    ensure!(bad == 0, "{bad} of {} checks failed", findings.len());
    Ok(())
}

fn outputs(environment: &str) -> Result<Outputs> {
    let folder = format!("-chdir=terraform/environments/{environment}");
    let output = capture(program("terraform", &[&folder, "output", "-json"]))?;
    let outputs = output.context("Terraform has no outputs: `terraform init` first")?;
    serde_json::from_str(&outputs).context("Terraform's outputs lack something: apply first")
}

/// What a command of the Cloud CLI prints, in the deployment's project.
fn gcloud(outputs: &Outputs, arguments: &[&str]) -> Result<Option<String>> {
    let mut command = Command::new("gcloud");
    command
        .args(arguments)
        .arg(format!("--project={}", outputs.project_id.value))
        .arg("--quiet");
    capture(command)
}

impl Finding {
    fn new(subject: impl Into<String>, verdict: Verdict) -> Self {
        Self {
            subject: subject.into(),
            verdict,
        }
    }

    fn is_bad(&self) -> bool {
        matches!(self.verdict, Verdict::Bad(_))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mark, text) = match &self.verdict {
            Verdict::Good(text) => ("ok", text),
            Verdict::Bad(text) => ("FAILED", text),
            Verdict::ByHand(text) => ("look", text),
        };
        write!(formatter, "{mark:7} {:40} {text}", self.subject)
    }
}
