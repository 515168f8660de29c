//! `cargo xtask drill`: the drill of a restore, and every fault that must not pass it.

use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Parser;
use emulator_tests::drill::{Fault, Scene};
use indicatif::{ProgressBar, ProgressStyle};

#[derive(Parser)]
#[command(
    about = "Restores a database on this machine and compares the two",
    version
)]
struct Arguments {
    /// Documents at least.
    #[arg(long, default_value_t = 10_000)]
    documents: usize,
    /// Only this fault, after the drill without one; can be given several times.
    #[arg(long = "fault", value_name = "NAME")]
    faults: Vec<Fault>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { documents, faults } = Arguments::parse();
    let faults = match faults.as_slice() {
        [] => Fault::ALL.to_vec(),
        _ => faults,
    };
    let filling = progress("filling", documents)?;
    let mut scene = Scene::start(documents, &|| filling.inc(1)).await?;
    filling.finish_and_clear();

    let started = Instant::now();
    let comparing = progress("comparing", documents)?;
    let signed = scene.run(&|| comparing.inc(1)).await?;
    comparing.finish_and_clear();
    print_line(&signed.report.to_string());
    print_line(&format!(
        "restored and compared in {:.1} s",
        started.elapsed().as_secs_f64()
    ));
    scene.verify(&signed).await?;
    ensure!(signed.report.passed, "the drill has failed");

    print_line(&format!("\n{:16} caught as", "fault"));
    let mut missed = 0;
    for fault in faults {
        let planted = progress(&fault.name(), documents)?;
        let caught = scene.run_with(fault, &|| planted.inc(1)).await;
        planted.finish_and_clear();
        let told = caught.unwrap_or_else(|error| {
            missed += 1;
            format!("NOT CAUGHT: {error:#}")
        });
        print_line(&format!("{:16} {told}", fault.name()));
    }
    ensure!(missed == 0, "{missed} faults are not caught");
    Ok(())
}

fn progress(name: &str, documents: usize) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{msg:14} {bar:32} {pos}/{len} {elapsed}")?;
    let progress = ProgressBar::new(u64::try_from(documents)?).with_style(style);
    progress.set_message(name.to_owned());
    Ok(progress)
}

#[expect(
    clippy::print_stdout,
    reason = "a command line tool talks through its output"
)]
fn print_line(line: &str) {
    println!("{line}");
}
