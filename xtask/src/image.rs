//! The contents of an image without a daemon, run with nothing else around.

mod layout;
mod trial;

use std::fs;

use anyhow::{Context, Result, ensure};
use clap::Args;

#[cfg(test)]
pub(crate) use self::trial::START;
use self::{layout::Layout, trial::Trial};
use crate::command::{report, root};

/// Which images.
#[derive(Args)]
pub(crate) struct ImageArguments {
    /// Folders of `functions/`; by default all.
    functions: Vec<String>,
}

/// Builds the functions as they ship, lays each out in a folder of its own, runs it there and prints a table.
pub(crate) fn run(arguments: &ImageArguments) -> Result<()> {
    let functions = functions(&arguments.functions)?;
    let target = layout::build()?;
    report(
        "| image | MB | of which libraries and authorities | packed, MB | healthy after, ms | memory, MB |",
    );
    report("|---|---|---|---|---|---|");
    for function in &functions {
        let layout = Layout::make(function, target)?;
        let trial = Trial::run(function, &layout)?;
        report(&row(function, &layout, trial.as_ref())?);
    }
    Ok(())
}

fn functions(wanted: &[String]) -> Result<Vec<String>> {
    let folder = root().join("functions");
    if !wanted.is_empty() {
        for function in wanted {
            ensure!(folder.join(function).is_dir(), "no function {function}");
        }
        return Ok(wanted.to_vec());
    }
    let entries = fs::read_dir(folder).context("no functions")?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

fn row(function: &str, layout: &Layout, trial: Option<&Trial>) -> Result<String> {
    let megabytes = |bytes: u64| format!("{}.{}", bytes / 1_000_000, bytes % 1_000_000 / 100_000);
    let (healthy, memory) = trial.map_or_else(
        || ("-".to_owned(), "-".to_owned()),
        |trial| {
            let healthy = trial.healthy_after.as_millis().to_string();
            (healthy, megabytes(trial.memory_bytes))
        },
    );
    Ok(format!(
        "| {function} | {} | {} | {} | {healthy} | {memory} |",
        megabytes(layout.program_bytes + layout.base_bytes),
        megabytes(layout.base_bytes),
        megabytes(layout.packed_bytes()?),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_functions_have_an_image_and_nothing_else_has() {
        assert!(functions(&[]).unwrap().contains(&"api".to_owned()));
        assert!(functions(&["shared".to_owned()]).is_err());
    }
}
