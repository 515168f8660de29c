//! Running other programs.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

/// The project's root.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// A program that runs in the project's root.
pub(crate) fn program(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(arguments).current_dir(root());
    command
}

/// Runs a program whose success is required.
pub(crate) fn require(mut command: Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {command:?}"))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}

/// What a program prints, without the space around it, if it succeeds.
pub(crate) fn capture(mut command: Command) -> Result<Option<String>> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(output.status.success().then_some(text))
}

/// Whether a program can be started.
pub(crate) fn exists(name: &str) -> bool {
    let mut probe = Command::new(name);
    probe.arg("--version");
    succeeds(probe)
}

/// Whether a program that shows nothing succeeds.
pub(crate) fn succeeds(mut probe: Command) -> bool {
    probe
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success())
}

/// Runs a program, shows what it prints and hands each line to `read`; tells whether it succeeded.
pub(crate) fn watch(mut command: Command, mut read: impl FnMut(&str)) -> Result<bool> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))?;
    let output = child.stdout.take().context("the output is not piped")?;
    for line in BufReader::new(output).lines() {
        let line = line?;
        report(&line);
        read(&line);
    }
    Ok(child.wait()?.success())
}

/// Shows a line to the person at the terminal.
#[expect(
    clippy::print_stdout,
    reason = "a command line tool talks through its output"
)]
pub(crate) fn report(line: &str) {
    println!("{line}");
}
