#![doc = include_str!("../README.md")]

mod config;
mod report;
mod verify;

use std::{process::ExitCode, sync::Arc};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use shared::{
    audit::{Anchors, Kept, Trail},
    clock::{Clock, SystemClock},
    ids::OrgId,
    models::SystemPrincipal,
    store::{Store, firestore::Firestore},
};

pub use crate::config::Config;

/// Acts for itself, across organizations.
const CALLER: SystemPrincipal = SystemPrincipal { function: "audit" };

/// What the command line says.
#[derive(Parser)]
#[command(about = "Verifies and anchors the audit trail", version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Keeps the ends of all chains as today's anchors.
    Anchor,
    /// Walks chains and compares them with the newest anchors.
    Verify {
        /// Only this organization's chain; can be given several times.
        #[arg(long = "organization", value_name = "ID")]
        organizations: Vec<OrgId>,
        /// Prints one JSON object an organization.
        #[arg(long)]
        json: bool,
    },
}

/// Does what the command line says.
///
/// # Errors
/// Returns what could not be read or written.
pub async fn run(arguments: &Arguments, config: &Config) -> Result<ExitCode> {
    let store = Store::new(Arc::new(Firestore::new(&config.service)));
    let trail = Trail::new(store, config.mac.key());
    let bucket = config.anchors.as_ref();
    let anchors = bucket.map(|bucket| Anchors::new(bucket.bucket()));
    let now = SystemClock.now().into();
    match &arguments.command {
        Command::Anchor => {
            let anchors = anchors.context("`AUDIT_ANCHOR_BUCKET` is not set")?;
            let kept = anchors.keep(&trail, &CALLER, now).await?;
            report::print(&match kept {
                Some(chains) => format!("kept the ends of {chains} chains"),
                None => "today's anchors are kept already".to_owned(),
            });
            Ok(ExitCode::SUCCESS)
        }
        Command::Verify {
            organizations,
            json,
        } => {
            let kept = match &anchors {
                Some(anchors) => anchors.load(now).await?,
                None => Kept::default(),
            };
            let is_anchored = anchors.is_none() || kept.is_recent(now);
            let chains = verify::chains(&trail, organizations, kept).await?;
            let verdict = verify::run(&trail, chains, *json).await?;
            if is_anchored {
                return Ok(verdict);
            }
            report::warn("NO RECENT ANCHORS: none was kept today or yesterday");
            Ok(ExitCode::FAILURE)
        }
    }
}
