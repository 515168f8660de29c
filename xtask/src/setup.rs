//! Installing what the suites need on Debian or Ubuntu.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

use crate::command::{exists, program, report, require, root, succeeds};

/// A program and the Debian package that has it.
const PROGRAMS: [(&str, &str); 4] = [
    ("node", "nodejs"),
    ("npm", "npm"),
    ("chromium", "chromium"),
    ("redis-server", "redis-server"),
];

/// The suite of the front end: the Firebase JS SDK in Node and in Chromium.
pub(crate) const WEB_TESTS: &str = "emulator-tests/web";
/// Google's Auth emulator, which the suite starts.
const AUTH_EMULATOR: &str = "emulator-tests/web/auth-emulator";

/// What a benchmark compares with.
const NODE_BENCH: &str = "emulator-tests/node-bench";

/// The suite of OpenAI's Python SDK.
pub(crate) const PYTHON_TESTS: &str = "emulator-tests/python";
/// Where its packages are.
const PYTHON_PACKAGES: &str = "target/python";

/// The list of packages that deployments are checked with.
const DEPLOYMENT_LIST: &str = "xtask/terraform/requirements.txt";
/// Where these are.
const DEPLOYMENT_PACKAGES: &str = "target/terraform";

/// The interpreter that has the packages.
pub(crate) fn python() -> String {
    format!("{PYTHON_PACKAGES}/bin/python")
}

/// A program that deployments are checked with.
pub(crate) fn deployment_program(name: &str) -> String {
    format!("{DEPLOYMENT_PACKAGES}/bin/{name}")
}

/// Installs missing programs and the locked npm and Python packages.
pub(crate) fn run() -> Result<()> {
    let mut missing: Vec<&str> = PROGRAMS
        .into_iter()
        .filter(|(name, _)| !exists(name))
        .map(|(_, package)| package)
        .collect();
    // It has a way of its own to tell its version.
    if !succeeds(program("openssl", &["version"])) {
        missing.push("openssl");
    }
    if !makes_environments() {
        missing.push("python3-venv");
    }
    if !missing.is_empty() {
        install_packages(&missing)?;
    }
    [WEB_TESTS, AUTH_EMULATOR]
        .into_iter()
        .try_for_each(install_npm_packages)?;
    install_python_packages(&format!("{PYTHON_TESTS}/requirements.txt"), PYTHON_PACKAGES)
}

/// Installs what deployments are checked with.
pub(crate) fn install_for_deployment() -> Result<()> {
    let mut missing = Vec::new();
    if !exists("promtool") {
        missing.push("prometheus");
    }
    if !makes_environments() {
        missing.push("python3-venv");
    }
    if !missing.is_empty() {
        install_packages(&missing)?;
    }
    install_python_packages(DEPLOYMENT_LIST, DEPLOYMENT_PACKAGES)
}

/// Debian's Python has the module `venv`, but cannot use it without a package of its own.
fn makes_environments() -> bool {
    let probe = program("python3", &["-c", "import ensurepip, venv"]);
    succeeds(probe)
}

fn install_packages(packages: &[&str]) -> Result<()> {
    if !exists("apt-get") {
        bail!("install these programs first: {}", packages.join(", "));
    }
    report(&format!("installing {}", packages.join(", ")));
    require(program("apt-get", &["update", "--quiet"]))?;
    let install = ["install", "--yes", "--quiet", "--no-install-recommends"];
    require(program("apt-get", &[&install, packages].concat()))
}

/// Installs the handlers in Node that a benchmark compares with.
pub(crate) fn install_node_bench() -> Result<()> {
    install_npm_packages(NODE_BENCH)
}

/// `npm ci` is skipped when the installed tree is that of the lock file.
fn install_npm_packages(folder: &str) -> Result<()> {
    let folder = root().join(folder);
    let lock = folder.join("package-lock.json");
    let stamp = folder.join("node_modules/.installed-lock.json");
    if is_installed(&lock, &stamp)? {
        return Ok(());
    }
    let mut install = program(
        "npm",
        &[
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ],
    );
    install.current_dir(&folder);
    require(install)?;
    note_installed(&lock, &stamp)
}

/// The environment is made anew when its packages are not those of the list.
fn install_python_packages(list: &str, packages: &str) -> Result<()> {
    let folder = root().join(packages);
    let (lock, stamp) = (root().join(list), folder.join("installed-requirements.txt"));
    if is_installed(&lock, &stamp)? {
        return Ok(());
    }
    require(program("python3", &["-m", "venv", "--clear", packages]))?;
    // Wheels only: nothing of a package runs while it is installed.
    let install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--only-binary=:all:",
        "--require-hashes",
        "--requirement",
        list,
    ];
    require(program(&format!("{packages}/bin/python"), &install))?;
    note_installed(&lock, &stamp)
}

fn is_installed(lock: &Path, stamp: &Path) -> Result<bool> {
    let lock = fs::read(lock).with_context(|| format!("no {}", lock.display()))?;
    Ok(fs::read(stamp).is_ok_and(|installed| installed == lock))
}

fn note_installed(lock: &Path, stamp: &Path) -> Result<()> {
    fs::copy(lock, stamp).context("cannot note what was installed")?;
    Ok(())
}
