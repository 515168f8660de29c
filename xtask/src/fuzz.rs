//! Fuzzing what strangers write: graphs, expressions and URLs.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use crate::command::{exists, program, report, require, root};

const CRATE: &str = "shared/fuzz";

const TARGETS: [&str; 3] = ["graph", "expression", "url"];

/// The page whose examples are where the fuzzing of expressions begins.
const EXPRESSIONS: &str = "docs/expressions.md";

/// The workflows where the fuzzing of graphs begins.
const WORKFLOWS: &str = "examples";

/// A single input that takes longer is a finding.
const TIMEOUT_SECS: u32 = 10;

/// libFuzzer's line about what it did.
const EXECUTED: &str = "stat::number_of_executed_units:";

/// What a target came to.
struct Outcome {
    target: &'static str,
    inputs: u64,
    is_clean: bool,
}

/// Runs each target for some minutes and prints what came of it.
pub(crate) fn run(minutes: u32) -> Result<()> {
    if !exists("cargo-fuzz") {
        report("installing cargo-fuzz");
        require(program("cargo", &["install", "cargo-fuzz", "--locked"]))?;
    }
    let outcomes = TARGETS.map(|target| fuzz(target, minutes));
    let outcomes = outcomes.into_iter().collect::<Result<Vec<_>>>()?;
    for outcome in &outcomes {
        report(&format!(
            "{}: {} inputs in {minutes} min, {}",
            outcome.target,
            outcome.inputs,
            if outcome.is_clean {
                "no finding"
            } else {
                "FAILED: see shared/fuzz/artifacts"
            }
        ));
    }
    ensure!(
        outcomes.iter().all(|outcome| outcome.is_clean),
        "a target failed"
    );
    Ok(())
}

fn fuzz(target: &'static str, minutes: u32) -> Result<Outcome> {
    let corpus = root().join(CRATE).join("corpus").join(target);
    fs::create_dir_all(&corpus).context("cannot make a folder for the corpus")?;
    seed(target, &corpus)?;
    report(&format!("{target}: {minutes} min"));
    let mut child = command(target, &corpus, minutes)
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start cargo fuzz")?;
    let output = child.stderr.take().context("the output is not piped")?;
    let mut inputs = 0;
    for line in BufReader::new(output).lines() {
        let line = line?;
        report(&line);
        if let Some(count) = line.strip_prefix(EXECUTED) {
            inputs = count.trim().parse().unwrap_or(0);
        }
    }
    Ok(Outcome {
        target,
        inputs,
        is_clean: child.wait()?.success() && inputs > 0,
    })
}

/// No sanitizer: the product has no unsafe code, and panics and hangs show without one.
fn command(target: &str, corpus: &Path, minutes: u32) -> Command {
    let mut command = program("rustup", &["run", "nightly", "cargo", "fuzz", "run"]);
    command
        .current_dir(root().join("shared"))
        .args(["--sanitizer", "none", target])
        .arg(corpus)
        .arg(root().join(CRATE).join("seeds").join(target))
        .arg("--")
        .arg(format!("-max_total_time={}", u64::from(minutes) * 60))
        .arg(format!("-timeout={TIMEOUT_SECS}"))
        .arg("-print_final_stats=1");
    command
}

/// Adds the examples of the product to the corpus.
fn seed(target: &str, corpus: &Path) -> Result<()> {
    match target {
        "graph" => {
            for workflow in fs::read_dir(root().join(WORKFLOWS))? {
                let workflow = workflow?;
                fs::copy(workflow.path(), corpus.join(workflow.file_name()))?;
            }
        }
        "expression" => {
            let page = fs::read_to_string(root().join(EXPRESSIONS))?;
            for (number, seed) in documented(&page).iter().enumerate() {
                fs::write(example(corpus, number), seed)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn example(corpus: &Path, number: usize) -> PathBuf {
    corpus.join(format!("documented-{number}"))
}

/// The examples of the tables, each with the data of the page.
fn documented(page: &str) -> Vec<String> {
    let data = page
        .split("```json\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let data = data.unwrap_or("null").replace('\n', " ");
    let rows = page
        .lines()
        .map(|line| line.split(" | ").collect::<Vec<_>>());
    rows.filter(|cells| cells.len() == 4)
        .filter_map(|cells| {
            cells
                .get(2)?
                .strip_prefix('`')?
                .strip_suffix('`')
                .map(str::to_owned)
        })
        .map(|source| format!("{source}\n{data}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_seeds() {
        let page = fs::read_to_string(root().join(EXPRESSIONS)).unwrap();
        let seeds = documented(&page);
        assert!(seeds.len() > 50, "{}", seeds.len());
        let round = seeds.iter().find(|seed| seed.starts_with("round("));
        let (source, data) = round.unwrap().split_once('\n').unwrap();
        assert_eq!(source, "round(trigger.price, 2)");
        assert!(data.contains("\"price\": 19.987") && !data.contains('\n'));
    }
}
