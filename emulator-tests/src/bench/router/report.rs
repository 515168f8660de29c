//! Medians of rounds, as a table.

use std::time::Duration;

use anyhow::{Context, Result};

use super::town::Gateway;
use crate::bench::{
    load::{Sample, median, millis, percentile},
    process::CpuTime,
    rounds::Rounds,
};

/// What one gateway did in one course.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) per_second: f64,
    first_p50: Duration,
    first_p99: Duration,
    p50: Duration,
    p99: Duration,
    cpu: Duration,
    database_cpu: Duration,
}

/// What each gateway did in each course.
#[derive(Default)]
pub(super) struct Report {
    courses: Rounds<Gateway, Cell>,
}

impl Cell {
    pub(super) fn new(sample: &Sample, cpu: CpuTime) -> Self {
        let count = u32::try_from(sample.count()).unwrap_or(u32::MAX);
        let cpu = cpu / count;
        Self {
            per_second: sample.per_second(),
            first_p50: percentile(&sample.firsts, 0.5),
            first_p99: percentile(&sample.firsts, 0.99),
            p50: percentile(&sample.wholes, 0.5),
            p99: percentile(&sample.wholes, 0.99),
            cpu: cpu.others,
            database_cpu: cpu.named,
        }
    }
}

impl Report {
    pub(super) fn add(&mut self, course: &'static str, gateway: Gateway, cell: Cell) {
        self.courses.add(course, gateway, cell);
    }

    pub(super) fn lines(&self) -> Result<Vec<String>> {
        let mut lines = vec![
            "| load | gateway | requests/s | p50 ms | p99 ms | first p50 ms | first p99 ms \
             | added p50 ms | added p99 ms | CPU µs | ÷ ceiling | CPU of the database µs |"
                .to_owned(),
            format!("|{}", "---|".repeat(12)),
        ];
        for (course, cells) in self.courses.iter() {
            let of = |gateway| cells.get(&gateway).context("a gateway was left out");
            let (direct, ceiling) = (of(Gateway::Direct)?, of(Gateway::Ceiling)?);
            for (gateway, cells) in cells {
                lines.push(line(course, *gateway, cells, direct, ceiling));
            }
        }
        Ok(lines)
    }
}

/// What is added is the median of the differences within rounds; so are ratios.
fn line(
    course: &str,
    gateway: Gateway,
    cells: &[Cell],
    direct: &[Cell],
    ceiling: &[Cell],
) -> String {
    let ms = |of: fn(&Cell) -> Duration| median(cells.iter().map(|cell| millis(of(cell))));
    let added = |of: fn(&Cell) -> Duration| {
        let pairs = cells.iter().zip(direct);
        median(pairs.map(|(cell, direct)| millis(of(cell)) - millis(of(direct))))
    };
    let per_second = median(cells.iter().map(|cell| cell.per_second));
    let mut columns = vec![course.to_owned(), gateway.name().to_owned()];
    columns.push(format!("{per_second:.0}"));
    for of in [
        (|cell| cell.p50) as fn(&Cell) -> Duration,
        |cell| cell.p99,
        |cell| cell.first_p50,
        |cell| cell.first_p99,
    ] {
        columns.push(format!("{:.2}", ms(of)));
    }
    if gateway == Gateway::Direct {
        columns.extend(["", "", "", "", ""].map(str::to_owned));
    } else {
        let pairs = cells.iter().zip(ceiling);
        let ratio = pairs.map(|(cell, ceiling)| millis(cell.cpu) / millis(ceiling.cpu));
        columns.push(format!("{:.2}", added(|cell| cell.p50)));
        columns.push(format!("{:.2}", added(|cell| cell.p99)));
        columns.push(format!("{:.0}", ms(|cell| cell.cpu) * 1e3));
        columns.push(format!("{:.1}", median(ratio)));
        columns.push(format!("{:.0}", ms(|cell| cell.database_cpu) * 1e3));
    }
    format!("| {} |", columns.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(millis: u64, cpu_micros: u64) -> Cell {
        let time = Duration::from_millis(millis);
        Cell {
            per_second: 100.0,
            first_p50: time,
            first_p99: time,
            p50: time,
            p99: time * 2,
            cpu: Duration::from_micros(cpu_micros),
            database_cpu: Duration::ZERO,
        }
    }

    #[test]
    fn what_is_added_is_told_within_rounds() {
        let mut report = Report::default();
        // A round that is slow for all adds as little as the others.
        for (slower, cpu) in [(0, 20), (100, 40), (0, 20)] {
            report.add("a", Gateway::Direct, cell(1 + slower, 1));
            report.add("a", Gateway::Ceiling, cell(2 + slower, cpu));
            report.add("a", Gateway::Leases, cell(4 + slower, cpu * 3));
        }
        let lines = report.lines().unwrap();
        let [.., leases] = lines.as_slice() else {
            panic!("{lines:?}");
        };
        let expected =
            "| a | API, leases | 100 | 4.00 | 8.00 | 4.00 | 4.00 | 3.00 | 6.00 | 60 | 3.0 | 0 |";
        assert_eq!(leases, expected);
    }
}
