//! Installing what the suites need on Debian or Ubuntu.

use anyhow::{Context, Result, bail};

use crate::command::{exists, program, report, require, root};

/// A program and the Debian package that has it.
const PROGRAMS: [(&str, &str); 2] = [("node", "nodejs"), ("npm", "npm")];

/// The project with the Firebase JS SDK.
pub(crate) const WEB_TESTS: &str = "emulator-tests/web";

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
    install_npm_packages()
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
fn install_npm_packages() -> Result<()> {
    let web = root().join(WEB_TESTS);
    let lock = std::fs::read(web.join("package-lock.json")).context("no package-lock.json")?;
    let stamp = web.join("node_modules/.installed-lock.json");
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
    install.current_dir(&web);
    require(install)?;
    std::fs::write(stamp, lock).context("cannot note what was installed")
}
