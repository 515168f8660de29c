//! `cargo xtask bench edge`: what faces the internet, beside the same handlers in Node: Stripe's
//! webhook, and a route of the API with its rate limits.

mod ask;
mod ceiling;
mod report;
mod town;

use std::time::Duration;

use anyhow::{Context, Result};
use indicatif::ProgressBar;

pub use self::ceiling::serve_ceiling;
use self::{
    ask::Asked,
    report::{Cell, Report},
    town::{Door, Maker, Town},
};
use super::load::{Load, Sample};

const ROUNDS: usize = 3;
const WARM_UP: Duration = Duration::from_secs(1);
const TIME: Duration = Duration::from_secs(3);

/// How a door is knocked at.
#[derive(Clone, Copy)]
struct Course {
    name: &'static str,
    door: Door,
    asked: Asked,
    callers: usize,
}

const COURSES: [Course; 5] = [
    course("event, 1 caller", Door::Webhook, Asked::Event, 1),
    course("event, 16 callers", Door::Webhook, Asked::Event, 16),
    course("forged event, 16 callers", Door::Webhook, Asked::Forged, 16),
    course("GET /me, 1 caller", Door::Me, Asked::Me, 1),
    course("GET /me, 16 callers", Door::Me, Asked::Me, 16),
];

const fn course(name: &'static str, door: Door, asked: Asked, callers: usize) -> Course {
    Course {
        name,
        door,
        asked,
        callers,
    }
}

/// Measures, and returns the lines of the report.
///
/// # Errors
/// Returns what could not be run, or is answered wrongly.
pub async fn measure(progress: &ProgressBar) -> Result<Vec<String>> {
    let town = Town::start().await?;
    for maker in Maker::ALL {
        town.check(maker).await.context(maker.name())?;
    }
    let mut report = Report::default();
    for (door, maker) in town.processes() {
        report.add_start(
            door,
            maker,
            town.start_time(door, maker)?,
            town.resident(door, maker)?,
        );
    }
    progress.set_length((ROUNDS * COURSES.len() * Maker::ALL.len()) as u64);
    for _ in 0..ROUNDS {
        for course in COURSES {
            for maker in Maker::ALL {
                let cell = run(&town, maker, &course).await;
                let cell = cell.with_context(|| format!("{}: {}", maker.name(), course.name))?;
                report.add(course.name, maker, cell);
                progress.inc(1);
            }
        }
    }
    for (door, maker) in town.processes() {
        report.add_load(door, maker, town.resident(door, maker)?);
    }
    town.stop().await?;
    report.lines()
}

async fn run(town: &Town, maker: Maker, course: &Course) -> Result<Cell> {
    let target = town.target(course.door, maker, course.asked)?;
    let load = Load::Callers(course.callers);
    Sample::take(&target, load, WARM_UP).await?;
    let before = town.cpu(course.door, maker)?;
    let sample = Sample::take(&target, load, TIME).await?;
    let used = town.cpu(course.door, maker)?.saturating_sub(before);
    Ok(Cell::new(&sample, used))
}
