//! Installing what the suites need on Debian or Ubuntu.

use anyhow::{Context, Result, bail};

use crate::command::{exists, program, report, require, root};

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

/// Installs missing programs and the locked npm packages.
pub(crate) fn run() -> Result<()> {
    let missing: Vec<&str> = PROGRAMS
        .into_iter()
        .filter(|(name, _)| !exists(name))
        .map(|(_, package)| package)
        .collect();
    if !missing.is_empty() {
        install_packages(&missing)?;
    }
    [WEB_TESTS, AUTH_EMULATOR]
        .into_iter()
        .try_for_each(install_npm_packages)
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

/// `npm ci` is skipped when the installed tree is that of the lock file.
fn install_npm_packages(folder: &str) -> Result<()> {
    let folder = root().join(folder);
    let lock = std::fs::read(folder.join("package-lock.json")).context("no package-lock.json")?;
    let stamp = folder.join("node_modules/.installed-lock.json");
    if std::fs::read(&stamp).is_ok_and(|installed| installed == lock) {
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
    std::fs::write(stamp, lock).context("cannot note what was installed")
}
