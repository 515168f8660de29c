//! What is in an image.

use std::{
    env::consts::ARCH,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use crate::command::{capture, exists, program, report, require, root};

/// Where images are laid out.
const IMAGES: &str = "target/images";

/// The program's place in each image.
pub(super) const PROGRAM: &str = "app";

/// What the base image has beside libraries: whom to trust in TLS.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// How functions are built.
#[derive(Clone, Copy)]
pub(super) enum Target {
    /// Without libraries.
    Static(&'static str),
    /// With those of this machine, as on distroless' `cc`.
    Dynamic,
}

/// A folder with what the image has.
pub(super) struct Layout {
    pub(super) root: PathBuf,
    pub(super) program_bytes: u64,
    /// Libraries and authorities.
    pub(super) base_bytes: u64,
}

/// Builds the functions as they ship: static if this machine can.
pub(super) fn build() -> Result<Target> {
    let target = target()?;
    let build = ["build", "--release", "--locked"];
    let command = match target {
        Target::Static(triple) => {
            report(&format!("building for {triple}: static"));
            program("cargo", &[&build[..], &["--target", triple]].concat())
        }
        Target::Dynamic => {
            report("building for this machine, with its libraries");
            program("cargo", &build)
        }
    };
    require(command)?;
    Ok(target)
}

fn target() -> Result<Target> {
    let triple = match ARCH {
        "aarch64" => "aarch64-unknown-linux-musl",
        _ => "x86_64-unknown-linux-musl",
    };
    let installed = capture(program("rustup", &["target", "list", "--installed"]))?;
    let has_target = installed.is_some_and(|targets| targets.lines().any(|line| line == triple));
    // The crypto library is C.
    Ok(match has_target && exists("musl-gcc") {
        true => Target::Static(triple),
        false => Target::Dynamic,
    })
}

impl Layout {
    /// Lays out the image of a function that was built.
    pub(super) fn make(function: &str, target: Target) -> Result<Self> {
        let built = match target {
            Target::Static(triple) => format!("target/{triple}/release/{function}"),
            Target::Dynamic => format!("target/release/{function}"),
        };
        let built = root().join(built);
        let folder = root().join(IMAGES).join(function);
        if folder.exists() {
            fs::remove_dir_all(&folder).context("cannot remove an earlier image")?;
        }
        fs::create_dir_all(&folder).context("cannot make a folder for an image")?;
        let program_bytes = fs::copy(&built, folder.join(PROGRAM))
            .with_context(|| format!("{} was not built", built.display()))?;
        let mut base_bytes = 0;
        let mut base = libraries(&built)?;
        base.push(AUTHORITIES.into());
        for file in base {
            let place = folder.join(file.strip_prefix("/")?);
            fs::create_dir_all(place.parent().unwrap_or(&folder))?;
            base_bytes += fs::copy(&file, place)
                .with_context(|| format!("cannot copy {}", file.display()))?;
        }
        Ok(Self {
            root: folder,
            program_bytes,
            base_bytes,
        })
    }

    /// As a registry keeps it.
    pub(super) fn packed_bytes(&self) -> Result<u64> {
        let mut tar = Command::new("tar");
        tar.args(["--create", "--gzip", "--file=-", "."]);
        let packed = tar.current_dir(&self.root).stderr(Stdio::null()).output();
        let packed = packed.context("cannot start tar")?;
        ensure!(packed.status.success(), "tar failed: {}", packed.status);
        Ok(packed.stdout.len() as u64)
    }
}

/// The libraries that a program asks for, its loader among them.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let mut ldd = Command::new("ldd");
    ldd.arg(program);
    // It fails for what is static.
    let listed = capture(ldd)?.unwrap_or_default();
    Ok(listed.lines().filter_map(library).collect())
}

/// `libc.so.6 => /lib/… (0x…)`, or a path alone.
fn library(line: &str) -> Option<PathBuf> {
    let after = line.split_once("=>").map_or(line, |(_, path)| path);
    let path = after.split_whitespace().next()?;
    path.starts_with('/').then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_read_from_what_ldd_prints() {
        let lines = [
            "\tlinux-vdso.so.1 (0x00007ffd)",
            "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)",
            "\t/lib64/ld-linux-x86-64.so.2 (0x00007f)",
            "\tstatically linked",
        ];
        let paths: Vec<_> = lines.into_iter().filter_map(library).collect();
        assert_eq!(
            paths,
            [
                Path::new("/lib/x86_64-linux-gnu/libc.so.6"),
                Path::new("/lib64/ld-linux-x86-64.so.2")
            ]
        );
    }
}
