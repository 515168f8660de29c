//! Starts the command.

use std::process::ExitCode;

use clap::Parser;
use shared::config::Env;
use stripe_setup::{Arguments, Config, run};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let config = Config::from_env(&Env::from_process())?;
    run(&arguments, &config).await
}
