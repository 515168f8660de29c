//! Medians of rounds, and what processes take, as tables.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result};

use super::town::{Door, Maker};
use crate::bench::{
    load::{Sample, median, millis, percentile},
    rounds::Rounds,
};

/// What one maker did in one course.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    per_second: f64,
    p50: Duration,
    p99: Duration,
    cpu: Duration,
}

/// What a process took.
#[derive(Clone, Copy, Debug, Default)]
struct Process {
    start: Duration,
    idle_bytes: u64,
    loaded_bytes: u64,
}

/// The cells of all rounds, by course in the order of their first, and the processes.
#[derive(Default)]
pub(super) struct Report {
    courses: Rounds<Maker, Cell>,
    processes: BTreeMap<(Door, Maker), Process>,
}

impl Cell {
    pub(super) fn new(sample: &Sample, cpu: Duration) -> Self {
        let count = u32::try_from(sample.count()).unwrap_or(u32::MAX).max(1);
        Self {
            per_second: sample.per_second(),
            p50: percentile(&sample.wholes, 0.5),
            p99: percentile(&sample.wholes, 0.99),
            cpu: cpu / count,
        }
    }
}

impl Report {
    pub(super) fn add(&mut self, course: &'static str, maker: Maker, cell: Cell) {
        self.courses.add(course, maker, cell);
    }

    pub(super) fn add_start(&mut self, door: Door, maker: Maker, start: Duration, bytes: u64) {
        let process = self.processes.entry((door, maker)).or_default();
        process.start = start;
        process.idle_bytes = bytes;
    }

    pub(super) fn add_load(&mut self, door: Door, maker: Maker, bytes: u64) {
        let process = self.processes.entry((door, maker)).or_default();
        process.loaded_bytes = bytes;
    }

    pub(super) fn lines(&self) -> Result<Vec<String>> {
        let mut lines = vec![
            "| asked | by | requests/s | p50 ms | p99 ms | CPU µs | ÷ ceiling | ÷ Node |"
                .to_owned(),
            format!("|{}", "---|".repeat(8)),
        ];
        for (course, cells) in self.courses.iter() {
            let of = |maker| cells.get(&maker).context("a maker was left out");
            let (ceiling, node) = (of(Maker::Ceiling)?, of(Maker::Node)?);
            let makers = cells.iter();
            lines.extend(makers.map(|(maker, cells)| line(course, *maker, cells, ceiling, node)));
        }
        lines.push(String::new());
        lines.push("| process | by | start ms | idle MiB | loaded MiB |".to_owned());
        lines.push(format!("|{}", "---|".repeat(5)));
        for ((door, maker), process) in &self.processes {
            lines.push(format!(
                "| {} | {} | {:.0} | {:.1} | {:.1} |",
                door.name(),
                maker.name(),
                millis(process.start),
                mebibytes(process.idle_bytes),
                mebibytes(process.loaded_bytes),
            ));
        }
        Ok(lines)
    }
}

/// Ratios are medians of those within rounds.
fn line(course: &str, maker: Maker, cells: &[Cell], ceiling: &[Cell], node: &[Cell]) -> String {
    let ratio = |others: &[Cell]| {
        let pairs = cells.iter().zip(others);
        median(pairs.map(|(cell, other)| millis(cell.cpu) / millis(other.cpu)))
    };
    let ms = |of: fn(&Cell) -> Duration| median(cells.iter().map(|cell| millis(of(cell))));
    format!(
        "| {course} | {} | {:.0} | {:.2} | {:.2} | {:.0} | {:.1} | {:.2} |",
        maker.name(),
        median(cells.iter().map(|cell| cell.per_second)),
        ms(|cell| cell.p50),
        ms(|cell| cell.p99),
        ms(|cell| cell.cpu) * 1e3,
        ratio(ceiling),
        ratio(node),
    )
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(cpu_micros: u64) -> Cell {
        Cell {
            per_second: 100.0,
            p50: Duration::from_millis(1),
            p99: Duration::from_millis(2),
            cpu: Duration::from_micros(cpu_micros),
        }
    }

    #[test]
    fn ratios_are_of_the_same_round() {
        let mut report = Report::default();
        // A machine that is slow for a round is slow for all.
        for slower in [1, 10, 1] {
            report.add("a", Maker::Ceiling, cell(10 * slower));
            report.add("a", Maker::Ours, cell(30 * slower));
            report.add("a", Maker::Node, cell(120 * slower));
        }
        let lines = report.lines().unwrap();
        let expected = "| a | Infinity X | 100 | 1.00 | 2.00 | 30 | 3.0 | 0.25 |";
        assert!(lines.iter().any(|line| line == expected), "{lines:?}");
    }
}
