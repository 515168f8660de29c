//! Starts the command.

use std::process::ExitCode;

use audit::{Arguments, Config, run};
use clap::Parser;
use shared::config::Env;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let config = Config::from_env(&Env::from_process())?;
    run(&arguments, &config).await
}
