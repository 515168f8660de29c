//! The examples in the modules' READMEs.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::workbench::Workbench;
use crate::command::{report, root};

/// Where the examples are tried: two levels below `terraform/`, as environments are.
const FOLDER: &str = "terraform/environments/examples";

/// Each module has an example, and all of them are valid.
pub(super) fn run(workbench: &Workbench) -> Result<()> {
    let folder = workbench.path(FOLDER);
    fs::create_dir_all(&folder).context("cannot make a folder for the examples")?;
    for module in fs::read_dir(root().join("terraform/modules"))? {
        let module = module?;
        let name = module.file_name().to_string_lossy().into_owned();
        let readme = fs::read_to_string(module.path().join("README.md"))
            .with_context(|| format!("the module {name} has no README"))?;
        let example = example(&readme).with_context(|| format!("{name} has no example"))?;
        ensure!(
            example.contains(&format!("../../modules/{name}\"")),
            "the example of {name} is of another module"
        );
        fs::write(folder.join(format!("{name}.tf")), example)?;
    }
    workbench.validate(FOLDER)?.accept()?;
    report("the modules' examples are valid");
    Ok(())
}

fn example(readme: &str) -> Option<&str> {
    let (_, rest) = readme.split_once("```hcl\n")?;
    rest.split_once("```").map(|(example, _)| example)
}
