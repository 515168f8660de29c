#![doc = include_str!("../README.md")]

mod canonical;
mod comparison;
mod config;
mod drill;
mod google;
mod merkle;
mod place;
mod ports;
mod references;
mod report;
mod sealed;
mod settings;
mod signed;

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use shared::{
    audit::Anchors,
    clock::SystemClock,
    config::{Env, ServiceConfig},
    crypto::MacConfig,
    storage::{Bucket, Created},
    store::firestore::Firestore,
    telemetry,
};

pub use crate::{
    comparison::pattern,
    config::Config,
    drill::{Database, Drill},
    google::{Google, GoogleConfig},
    place::{Place, Refusal},
    ports::{Deployed, Error, Export, Restorer},
    report::{DifferenceKind, Report},
    settings::{RULES, described},
    signed::{SignedReport, Unproved},
};

/// What the command line says.
#[derive(Parser)]
#[command(
    about = "Restores the newest export elsewhere and compares it with the database",
    version
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Does the drill, and keeps the report.
    Run,
    /// Tells whether a report is the one that was signed.
    Verify {
        /// The report.
        file: PathBuf,
    },
}

/// Does what the command line says.
///
/// # Errors
/// Returns why no drill took place, or why a report is not proved.
pub async fn run(arguments: &Arguments, env: &Env) -> Result<ExitCode> {
    match &arguments.command {
        Command::Run => {
            let config = Config::from_env(env)?;
            let _telemetry = telemetry::init(env, &config.service)?;
            let bucket = config.anchors.bucket();
            let drill = drill(&config, Anchors::new(bucket.clone()))?;
            // What documents are called is for the report, and not for logs.
            let prints = !config.service.json_logs;
            drill_and_keep(&drill, bucket.as_ref(), prints).await
        }
        Command::Verify { file } => {
            let text = std::fs::read(file).context("the report cannot be read")?;
            let signed: SignedReport = serde_json::from_slice(&text)?;
            let key = MacConfig::load(env)?.key();
            signed.verify(key.as_ref()).await?;
            print(&signed.report.to_string());
            Ok(exit_code(&signed.report))
        }
    }
}

/// Does a drill, keeps its report and tells whether it has passed; `prints` shows the report as well.
///
/// # Errors
/// Returns why no drill took place, or why its report is not kept.
pub async fn drill_and_keep(drill: &Drill, bucket: &dyn Bucket, prints: bool) -> Result<ExitCode> {
    let progress = progress_bar();
    let signed = drill.run(&|| progress.inc(1)).await;
    progress.finish_and_clear();
    let signed = signed.inspect_err(|error| {
        tracing::error!(
            error = format!("{error:#}"),
            "restore drill did not take place"
        );
    })?;
    keep(bucket, &signed).await?;
    if prints {
        print(&signed.report.to_string());
    }
    tell(&signed.report);
    Ok(exit_code(&signed.report))
}

fn drill(config: &Config, anchors: Anchors) -> Result<Drill> {
    let clock = SystemClock::shared();
    let source = Place {
        project: config.service.project_id.clone(),
        database: config.service.database_id.clone(),
    };
    let target = Place::of_drill(&config.project_id, clock.now().into());
    let of_target = ServiceConfig {
        project_id: target.project.clone(),
        database_id: target.database.clone(),
        ..config.service.clone()
    };
    let google = Arc::new(Google::new(
        GoogleConfig {
            source: source.clone(),
            target: target.clone(),
            location: config.location.clone(),
            backups: config.backups.clone(),
            emulator_host: None,
        },
        shared::http::client()?,
    ));
    Ok(Drill {
        source: Database {
            place: source,
            firestore: Arc::new(Firestore::new(&config.service)),
        },
        target: Database {
            place: target,
            firestore: Arc::new(Firestore::new(&of_target)),
        },
        restorer: google.clone(),
        deployed: google,
        mac: config.mac.key(),
        key: config.key.key(),
        anchors,
        clock,
    })
}

/// Keeps the report where nobody can change it: `drills/passed/<moment>.json`, or `failed`.
async fn keep(bucket: &dyn Bucket, signed: &SignedReport) -> Result<()> {
    let verdict = if signed.report.passed {
        "passed"
    } else {
        "failed"
    };
    let moment = signed.report.finished_at;
    let name = format!("drills/{verdict}/{moment}.json");
    let created = bucket
        .create(&name, serde_json::to_vec(signed)?.into())
        .await?;
    ensure!(created == Created::New, "there is a report of that moment");
    Ok(())
}

/// One line of the log.
fn tell(report: &Report) {
    let (documents, problems) = (report.documents(), report.problems().len());
    if report.passed {
        tracing::info!(drill.documents = documents, "restore drill passed");
    } else {
        tracing::error!(
            drill.documents = documents,
            drill.problems = problems,
            "restore drill failed"
        );
    }
}

fn exit_code(report: &Report) -> ExitCode {
    match report.passed {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Drawn on a terminal only. How many documents there are nobody knows before the end.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::no_length();
    match ProgressStyle::with_template("{spinner} {pos} compared, {per_sec}, {elapsed}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[expect(clippy::print_stdout, reason = "a command talks through its output")]
fn print(line: &str) {
    println!("{line}");
}
