#![doc = include_str!("../README.md")]

mod apply;
mod change;
mod config;
mod desired;
mod live;
mod portal;
mod prices;
mod report;
mod review;
mod secret_file;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use shared::{quota::prices::Catalog, stripe::StripeClient};

pub use crate::config::Config;
use crate::{desired::Desired, live::Account, review::review};

/// What the command line says.
#[derive(Parser)]
#[command(about = "Makes what is sold known to Stripe, and compares", version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes or changes what is not as it is needed.
    Apply {
        #[command(flatten)]
        target: Target,
        /// Keeps the signing secret of a webhook endpoint that is made in this new file.
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
    },
    /// Compares the account with what is needed, and ends with 1 on any difference.
    Verify {
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Args)]
struct Target {
    /// Where Stripe's events go; without it no webhook endpoint is looked at.
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
}

impl Target {
    fn desired(&self) -> Desired {
        Desired::new(Catalog::load(), self.webhook_url.clone())
    }
}

/// Does what the command line says.
///
/// # Errors
/// Returns what Stripe refuses, or why it cannot be reached.
pub async fn run(arguments: &Arguments, config: &Config) -> Result<ExitCode> {
    let stripe = StripeClient::new(&config.api_key, &config.api_base_url)?;
    let rows = match &arguments.command {
        Command::Apply {
            target,
            secret_file,
        } => apply::apply(&stripe, &target.desired(), secret_file.as_deref()).await?,
        Command::Verify { target } => {
            let account = Account::load(&stripe).await;
            review(
                &target.desired(),
                &account.context("the account cannot be read")?,
            )
        }
    };
    report::print(&rows);
    Ok(match rows.iter().all(|row| row.is_right()) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
