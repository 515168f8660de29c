//! Starts the command.

use std::process::ExitCode;

use clap::Parser;
use drill::{Arguments, run};
use shared::config::Env;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    run(&Arguments::parse(), &Env::from_process()).await
}
