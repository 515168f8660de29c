//! `cargo xtask bench router`: what the gateway adds to a call of a model, with a check of the ID
//! token, admission, the ledger and logs.

mod pass_through;
mod report;
mod town;
mod upstream;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use indicatif::ProgressBar;

pub use self::pass_through::serve_pass_through;
use self::{
    report::{Cell, Report},
    town::{Gateway, Town},
};
use super::load::{Load, Sample};

/// What is asked.
const MODEL: &str = "gpt-4.1-mini";

const ROUNDS: usize = 3;
const WARM_UP: Duration = Duration::from_millis(500);
const TIME: Duration = Duration::from_secs(2);

/// How a gateway is asked.
#[derive(Clone, Copy)]
struct Course {
    name: &'static str,
    is_stream: bool,
    thinks: Duration,
    callers: Callers,
}

#[derive(Clone, Copy)]
enum Callers {
    /// So many at once.
    Some(usize),
    /// Half as many requests a second as the API with leases answered in the course before. By the
    /// quota document it answers far fewer, so that its line of waiting calls would have no end.
    Half,
}

impl Callers {
    fn ask(self, gateway: Gateway) -> bool {
        !matches!((self, gateway), (Self::Half, Gateway::Documents))
    }
}

const COURSES: [Course; 8] = [
    course("0 ms, 1 caller", 0, Callers::Some(1)),
    course("0 ms, 16 callers", 0, Callers::Some(16)),
    course("0 ms, half of that", 0, Callers::Half),
    course("50 ms, 64 callers", 50, Callers::Some(64)),
    course("50 ms, half of that", 50, Callers::Half),
    streamed("stream, 0 ms, 1 caller", 0, 1),
    streamed("stream, 0 ms, 16 callers", 0, 16),
    streamed("stream, 50 ms, 16 callers", 50, 16),
];

const fn course(name: &'static str, thinks_ms: u64, callers: Callers) -> Course {
    Course {
        name,
        is_stream: false,
        thinks: Duration::from_millis(thinks_ms),
        callers,
    }
}

const fn streamed(name: &'static str, thinks_ms: u64, callers: usize) -> Course {
    Course {
        is_stream: true,
        ..course(name, thinks_ms, Callers::Some(callers))
    }
}

/// Measures, and returns the lines of the report.
///
/// # Errors
/// Returns what could not be run, or is answered wrongly.
pub async fn measure(progress: &ProgressBar) -> Result<Vec<String>> {
    let town = Town::start().await?;
    for gateway in Gateway::ALL {
        town.check(gateway).await.context(gateway.name())?;
    }
    town.check_admission().await?;
    progress.set_length((ROUNDS * COURSES.len() * Gateway::ALL.len()) as u64);
    let mut report = Report::default();
    for _ in 0..ROUNDS {
        let mut reached = 0.0;
        for course in COURSES {
            let load = match course.callers {
                Callers::Some(callers) => Load::Callers(callers),
                Callers::Half => Load::Rate(reached / 2.0),
            };
            town.think(course.thinks);
            for gateway in Gateway::ALL {
                progress.inc(1);
                if !course.callers.ask(gateway) {
                    continue;
                }
                let cell = run(&town, gateway, &course, load).await;
                let cell = cell.with_context(|| format!("{}: {}", gateway.name(), course.name))?;
                if gateway == Gateway::Leases {
                    reached = cell.per_second;
                }
                report.add(course.name, gateway, cell);
            }
        }
    }
    town.stop().await?;
    report.lines()
}

async fn run(town: &Town, gateway: Gateway, course: &Course, load: Load) -> Result<Cell> {
    let target = town.target(gateway, course.is_stream);
    Sample::take(&target, load, WARM_UP).await?;
    let before = town.cpu(gateway)?;
    let sample = Sample::take(&target, load, TIME).await?;
    let after = town.cpu(gateway)?;
    ensure!(sample.count() > 0, "nothing was answered");
    Ok(Cell::new(&sample, after.since(before)))
}
