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
    /// Divides the sizes of `sync`, for a trial whose figures mean nothing.
    #[arg(long, default_value_t = 1)]
    divide_by: usize,
}

#[derive(Clone, Copy, ValueEnum)]
enum Subject {
    /// Runs of workflows.
    Engine,
    /// Stripe's webhook and a rate-limited route, beside the same in Node.
    Edge,
    /// Calls of models.
    Router,
    /// Mailboxes and accounts of Google Workspace.
    Sync,
    /// A part of `sync`, in a process of its own.
    #[value(hide = true)]
    FanOut,
    /// What `edge` and `router` measure, in a process of its own.
    #[value(hide = true)]
    Api,
    /// The least that `edge` could do, likewise.
    #[value(hide = true)]
    Ceiling,
    /// The least that a gateway does, likewise.
    #[value(hide = true)]
    PassThrough,
}

#[tokio::main]
#[expect(
    clippy::print_stdout,
    reason = "a command line tool talks through its output"
)]
async fn main() -> anyhow::Result<()> {
    let Arguments { subject, divide_by } = Arguments::parse();
    let progress = ProgressBar::new(1);
    let lines = match subject {
        // These log as they do on Cloud Run.
        Subject::Api => return bench::serve_api().await,
        Subject::Ceiling => return bench::edge::serve_ceiling().await,
        Subject::PassThrough => return bench::router::serve_pass_through().await,
        Subject::Edge => {
            log_errors();
            bench::edge::measure(&progress).await?
        }
        Subject::Engine => {
            log_errors();
            bench::engine::measure(&progress).await?
        }
        Subject::Router => {
            log_errors();
            bench::router::measure(&progress).await?
        }
        Subject::Sync => {
            log_errors();
            bench::sync::measure(&progress, divide_by).await?
        }
        Subject::FanOut => {
            log_errors();
            bench::sync::tick_here().await?
        }
    };
    progress.finish_and_clear();
    for line in lines {
        println!("{line}");
    }
    Ok(())
}

fn log_errors() {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("error"))
        .with_writer(std::io::stderr)
        .init();
}
