//! What is in the images, in CycloneDX's form.

use std::fs;

use anyhow::{Context, Result};

use crate::command::{exists, program, report, require, root};

const VERSION: &str = "0.5.9";

/// Where the lists are kept.
const FOLDER: &str = "target/sbom";

/// Writes a list for each function.
pub(crate) fn run() -> Result<()> {
    if !exists("cargo-cyclonedx") {
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
    for function in fs::read_dir(root().join("functions"))? {
        let function = function?;
        let name = function.file_name().to_string_lossy().into_owned();
        let manifest = function.path().join("Cargo.toml");
        let list = [
            "cyclonedx",
            "--format",
            "json",
            "--describe",
            "binaries",
            "--no-build-deps",
            "--manifest-path",
        ];
        let mut command = program("cargo", &list);
        command.arg(manifest);
        require(command)?;
        let made = function.path().join(format!("{name}_bin.cdx.json"));
        fs::rename(&made, folder.join(format!("{name}.cdx.json")))
            .with_context(|| format!("no list of {name}"))?;
    }
    Ok(())
}
