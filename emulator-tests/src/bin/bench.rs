//! `cargo xtask bench`: measures, and prints tables.

use clap::{Parser, ValueEnum};
use emulator_tests::bench;
use indicatif::ProgressBar;
use tracing_subscriber::EnvFilter;

#[derive(Parser)]
#[command(about = "Measures Infinity X on this machine", version)]
struct Arguments {
    /// What to measure.
    subject: Subject,
}

#[derive(Clone, Copy, ValueEnum)]
enum Subject {
    /// Runs of workflows.
    Engine,
}

#[tokio::main]
#[expect(
    clippy::print_stdout,
    reason = "a command line tool talks through its output"
)]
async fn main() -> anyhow::Result<()> {
    let Arguments { subject } = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("error"))
        .with_writer(std::io::stderr)
        .init();
    let progress = ProgressBar::new(1);
    let lines = match subject {
        Subject::Engine => bench::engine::measure(&progress).await?,
    };
    progress.finish_and_clear();
    for line in lines {
        println!("{line}");
    }
    Ok(())
}
