//! A copy of what Terraform reads, and providers that know their schemas and nothing else.

use std::{
    env::consts::{ARCH, OS},
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::{command::root, setup};

/// What a configuration reads: itself, the jobs' scripts, rules and indexes.
const SOURCES: [&str; 4] = [
    "terraform",
    "scripts",
    "firestore.rules",
    "firestore.indexes.json",
];

const TOOLS: &str = "xtask/terraform";

/// State stays where it is: nothing here asks for it.
const LEFT_OUT: [&str; 3] = [".terraform", ".terraform.lock.hcl", "backend.tf"];

/// The copy, which may be changed.
pub(super) struct Workbench {
    folder: TempDir,
}

/// What a check came to.
pub(super) struct Outcome<T> {
    /// What it made, if it found no fault.
    pub(super) made: Option<T>,
    /// What it said.
    pub(super) output: String,
}

impl<T> Outcome<T> {
    /// What was made.
    pub(super) fn accept(self) -> Result<T> {
        self.made.with_context(|| self.output)
    }
}

impl Workbench {
    /// Copies the sources and sets the providers up.
    pub(super) fn new() -> Result<Self> {
        let folder = TempDir::new().context("cannot make a folder for a copy")?;
        for source in SOURCES {
            copy(&root().join(source), &folder.path().join(source))?;
        }
        let workbench = Self { folder };
        workbench.install_providers()?;
        Ok(workbench)
    }

    /// A file or folder of the copy.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Plants a fault.
    pub(super) fn replace(&self, file: &str, from: &str, to: &str) -> Result<()> {
        let path = self.path(file);
        let text = fs::read_to_string(&path).with_context(|| format!("no {file}"))?;
        ensure!(text.contains(from), "{file} has no `{from}`");
        fs::write(&path, text.replacen(from, to, 1)).with_context(|| format!("cannot write {file}"))
    }

    /// Checks a folder of the copy.
    pub(super) fn validate(&self, folder: &str) -> Result<Outcome<()>> {
        let init = self.terraform(folder, &["init", "-input=false", "-no-color"])?;
        if init.made.is_none() {
            return Ok(init);
        }
        self.terraform(folder, &["validate", "-no-color"])
    }

    /// Plans an environment in a project in which there is nothing yet; the plan is JSON.
    pub(super) fn plan(&self, environment: &str) -> Result<Outcome<PathBuf>> {
        self.plan_part(environment, "plan", &[])
    }

    /// The same with options, kept by a name.
    pub(super) fn plan_part(
        &self,
        environment: &str,
        name: &str,
        options: &[&str],
    ) -> Result<Outcome<PathBuf>> {
        let folder = format!("terraform/environments/{environment}");
        let valid = self.validate(&folder)?;
        if valid.made.is_none() {
            return Ok(valid.without());
        }
        let out = format!("-out={name}");
        let plan = ["plan", "-input=false", "-no-color", &out];
        let planned = self.terraform(&folder, &[&plan[..], options].concat())?;
        if planned.made.is_none() {
            return Ok(planned.without());
        }
        let json = self.terraform(&folder, &["show", "-json", name])?;
        let path = self.path(&folder).join(format!("{name}.json"));
        fs::write(&path, &json.output).context("cannot keep a plan")?;
        Ok(Outcome {
            made: json.made.map(|()| path),
            output: planned.output,
        })
    }

    fn terraform(&self, folder: &str, arguments: &[&str]) -> Result<Outcome<()>> {
        let mut command = Command::new("terraform");
        command
            .args(arguments)
            .current_dir(self.path(folder))
            .env("TF_CLI_CONFIG_FILE", self.path("terraformrc"))
            .env("TF_DISABLE_PLUGIN_TLS", "1")
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_STUB_SCHEMA", root().join(TOOLS).join("schema.json"))
            .env("TF_VAR_images", images()?)
            .env("TF_VAR_pagerduty_service_key", "none");
        run(command)
    }

    /// One program serves all providers of the schema.
    fn install_providers(&self) -> Result<()> {
        let schema = fs::read(root().join(TOOLS).join("schema.json")).context("no schema")?;
        let schema: Value = serde_json::from_slice(&schema).context("the schema is no JSON")?;
        let version = schema["x_source"]["provider_version"].as_str();
        let version = version.context("the schema has no version")?;
        let providers = schema["provider_schemas"].as_object();
        for address in providers.context("the schema has no providers")?.keys() {
            self.install_provider(address, version)?;
        }
        let mirror = self.path("mirror");
        let settings = format!(
            "disable_checkpoint = true\nprovider_installation {{\n  filesystem_mirror {{\n    \
             path = \"{}\"\n  }}\n}}\n",
            mirror.display()
        );
        fs::write(self.path("terraformrc"), settings).context("cannot write Terraform's settings")
    }

    fn install_provider(&self, address: &str, version: &str) -> Result<()> {
        let name = address.rsplit('/').next().unwrap_or(address);
        let platform = format!("{OS}_{}", architecture()?);
        let folder = self
            .path("mirror")
            .join(address)
            .join(version)
            .join(platform);
        fs::create_dir_all(&folder).context("cannot make a folder for a provider")?;
        let program = folder.join(format!("terraform-provider-{name}_v{version}_x5"));
        let python = root().join(setup::deployment_program("python"));
        let stub = root().join(TOOLS).join("provider");
        let script = format!(
            "#!/bin/sh\nTF_STUB_PROVIDER={name} exec '{}' -B '{}' \"$@\"\n",
            python.display(),
            stub.display()
        );
        fs::write(&program, script).context("cannot write a provider")?;
        make_executable(&program)
    }
}

impl Outcome<()> {
    fn without<T>(self) -> Outcome<T> {
        Outcome {
            made: None,
            output: self.output,
        }
    }
}

/// Runs a check that may find faults.
pub(super) fn run(mut command: Command) -> Result<Outcome<()>> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let faults = String::from_utf8_lossy(&output.stderr);
        // Terraform has them here alone, and what it would have done before that.
        if faults.contains("Error: ") {
            text.clear();
        }
        text.push_str(&faults);
    }
    Ok(Outcome {
        made: output.status.success().then_some(()),
        output: text,
    })
}

/// Go's names, which providers are kept under.
fn architecture() -> Result<&'static str> {
    match ARCH {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => bail!("Terraform has no providers for {other}"),
    }
}

/// An image for each function, as the pipeline would name them.
fn images() -> Result<String> {
    let mut images = Map::new();
    for function in fs::read_dir(root().join("functions"))? {
        let name = function?.file_name().to_string_lossy().into_owned();
        images.insert(name, "example.invalid/image".into());
    }
    Ok(Value::Object(images).to_string())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
        return Ok(());
    }
    fs::create_dir_all(to).context("cannot make a folder for a copy")?;
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        if !LEFT_OUT.iter().any(|left_out| name == **left_out) {
            copy(&from.join(&name), &to.join(&name))?;
        }
    }
    Ok(())
}

fn make_executable(program: &Path) -> Result<()> {
    let mut chmod = Command::new("chmod");
    chmod.arg("+x").arg(program);
    run(chmod)?.accept()
}
