#![doc = include_str!("../README.md")]

mod config;
mod integrations;
mod report;
mod texts;

use std::{process::ExitCode, sync::Arc};

use anyhow::Result;
use clap::Parser;
use shared::{
    clock::SystemClock,
    crypto::Envelope,
    models::{SystemPrincipal, Timestamp},
    store::{Store, firestore::Firestore},
    vault::SealedModel,
};

pub use crate::config::Config;
use crate::{report::Report, texts::Texts};

/// Acts for itself, across organizations.
const CALLER: SystemPrincipal = SystemPrincipal { function: "rewrap" };

/// What the command line says: nothing yet.
#[derive(Parser)]
#[command(
    about = "Moves sealed credentials to the primary version of their key",
    version
)]
pub struct Arguments {}

/// Moves all sealed texts, and tells what came of it.
///
/// # Errors
/// Returns what could not be read or written, after a report of what was done until then.
pub async fn run(config: &Config) -> Result<ExitCode> {
    let store = Store::new(Arc::new(Firestore::new(&config.service)));
    let clock = SystemClock::shared();
    let now = clock.now().into();
    let envelope = Envelope::new(config.key.key(), clock);
    let texts = Texts::new(envelope);
    let mut report = Report::new();
    let done = all_models(&store, &texts, now, &mut report).await;
    report.print();
    done?;
    Ok(match report.is_complete() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

async fn all_models(
    store: &Store,
    texts: &Texts,
    now: Timestamp,
    report: &mut Report,
) -> Result<()> {
    for model in SealedModel::ALL {
        match model {
            SealedModel::Integration => integrations::run(store, texts, now, report).await?,
        }
    }
    Ok(())
}
