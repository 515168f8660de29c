//! Documents that are made from the code.

use anyhow::Result;

use crate::command::{program, require};

/// Has the tests that compare the documents write them.
pub(crate) fn run() -> Result<()> {
    let arguments = [
        "test",
        "--quiet",
        "-p",
        "api",
        "--test",
        "it",
        "permissions",
    ];
    let mut command = program("cargo", &arguments);
    command.env("UPDATE_DOCS", "1");
    require(command)
}
