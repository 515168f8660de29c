//! All suites, one after the other, and their sum.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};

use crate::{
    command::{program, report, require, root, watch},
    setup::{self, PYTHON_TESTS, WEB_TESTS},
    tally::Tally,
};

/// Where the services are kept as they ship.
const SERVICES: &str = "target/services";

/// Sets up, builds the services as they ship, runs every suite and prints the sum.
pub(crate) fn run() -> Result<()> {
    report("[1/5] set-up");
    setup::run()?;
    report("[2/5] building the services and the local platform");
    build_services()?;
    require(program(
        "cargo",
        &["build", "--quiet", "-p", "emulator-tests", "--bins"],
    ))?;
    let mut tally = Tally::default();
    report("[3/5] unit, function and emulator suites");
    let rust = watch(rust_suites(), |line| tally.read(line))?;
    report("[4/5] Firebase JS SDK suite, in Node and in Chromium");
    let web = watch(web_suite(), |line| tally.read(line))?;
    report("[5/5] OpenAI's Python SDK");
    let python = watch(python_suite(), |line| tally.read(line))?;
    report(&format!("{} passed, {} failed", tally.passed, tally.failed));
    ensure!(rust && web && python && tally.failed == 0, "a suite failed");
    ensure!(tally.passed > 0, "no test was run");
    Ok(())
}

/// Builds the services as they ship and keeps a copy: `cargo test --workspace` links them again
/// with the `testing` feature.
fn build_services() -> Result<()> {
    require(program("cargo", &["build", "--quiet"]))?;
    let (built, kept) = (root().join("target/debug"), root().join(SERVICES));
    fs::create_dir_all(&kept).context("cannot make a folder for the services")?;
    for function in fs::read_dir(root().join("functions"))? {
        let name = function?.file_name();
        fs::copy(built.join(&name), kept.join(&name))
            .with_context(|| format!("cannot keep the service {}", name.display()))?;
    }
    Ok(())
}

fn rust_suites() -> Command {
    let mut command = program("cargo", &["test", "--workspace", "--no-fail-fast"]);
    command.env("SERVICES_DIR", root().join(SERVICES));
    command
}

fn web_suite() -> Command {
    // One file at a time: each starts the platform, and some a browser.
    let options = ["--test", "--test-reporter=spec", "--test-concurrency=1"];
    let mut command = program("node", &options);
    command
        .current_dir(root().join(WEB_TESTS))
        .env("DEV_SERVER", dev_server());
    command
}

fn python_suite() -> Command {
    let python = setup::python();
    let mut command = program(&python, &["-B", PYTHON_TESTS]);
    command.env("DEV_SERVER", dev_server());
    command
}

fn dev_server() -> PathBuf {
    root().join("target/debug/dev_server")
}
