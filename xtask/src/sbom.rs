//! What is in the images, in CycloneDX's form.

use std::fs;

use anyhow::{Context, Result};

use crate::command::{program, report, require, root, succeeds};

const VERSION: &str = "0.5.9";

/// Members of the workspace whose programs nobody ships; the tool lists them all the same.
const UNSHIPPED: [&str; 2] = ["emulator-tests", "xtask"];

/// How the names of lists end, each beside the manifest of its member.
const SUFFIX: &str = ".cdx.json";

/// Where the lists are kept.
const FOLDER: &str = "target/sbom";

/// Writes a list for each function.
pub(crate) fn run() -> Result<()> {
    if !succeeds(program("cargo", &["cyclonedx", "--version"])) {
        report("installing cargo-cyclonedx");
        let install = [
            "install",
            "cargo-cyclonedx",
            "--locked",
            "--version",
            VERSION,
        ];
        require(program("cargo", &install))?;
    }
    let folder = root().join(FOLDER);
    fs::create_dir_all(&folder).context("cannot make a folder for the lists")?;
    let list = [
        "cyclonedx",
        "--format",
        "json",
        "--describe",
        "binaries",
        "--no-build-deps",
    ];
    require(program("cargo", &list))?;
    for function in fs::read_dir(root().join("functions"))? {
        let function = function?;
        let name = function.file_name().to_string_lossy().into_owned();
        let made = function.path().join(format!("{name}_bin{SUFFIX}"));
        fs::rename(&made, folder.join(format!("{name}{SUFFIX}")))
            .with_context(|| format!("no list of {name}"))?;
    }
    clear()
}

fn clear() -> Result<()> {
    for member in UNSHIPPED {
        for file in fs::read_dir(root().join(member))? {
            let file = file?;
            if file.file_name().to_string_lossy().ends_with(SUFFIX) {
                fs::remove_file(file.path())?;
            }
        }
    }
    Ok(())
}
