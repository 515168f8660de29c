//! Starts the command.

use std::process::ExitCode;

use clap::Parser;
use rewrap::{Arguments, Config, run};
use shared::{config::Env, telemetry};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    Arguments::parse();
    let env = Env::from_process();
    let config = Config::from_env(&env)?;
    let _telemetry = telemetry::init(&env, &config.service)?;
    run(&config).await
}
