//! A column for each day.

use std::{collections::BTreeMap, fmt};

use jiff::ToSpan;
use shared::quota::usage::Summary;

use super::{Bar, Drawing, HEAD, MARGIN, Measure, WIDTH, scale, value, write_text};
use crate::{run_picture::Escaped, usage_report::DayRange};

const PLOT: f64 = 220.0;
/// Width of the numbers beside the columns.
const NUMBERS: f64 = 64.0;
/// Height of the days below.
const DAYS: f64 = 24.0;
/// Days that have room for their names.
const MAX_NAMES: usize = 8;

pub(super) const HEIGHT: f64 = PLOT + DAYS;

/// Days without usage have a place too.
pub(super) fn bars(summary: &Summary, range: DayRange, measure: Measure) -> Vec<Bar> {
    let groups = summary.groups.iter();
    let values: BTreeMap<&str, i64> = groups
        .filter_map(|group| Some((group.key.as_deref()?, value(&group.totals, measure))))
        .collect();
    let days = range.from.series(1.day());
    let days = days.take_while(|day| *day <= range.to);
    days.map(|day| {
        let label = day.to_string();
        let value = values.get(label.as_str()).copied().unwrap_or_default();
        Bar { label, value }
    })
    .collect()
}

pub(super) fn write(drawing: &Drawing, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Drawing { bars, colours, .. } = drawing;
    let most = bars.iter().map(|bar| bar.value).max().unwrap_or_default();
    let (left, right, bottom) = (MARGIN + NUMBERS, WIDTH - MARGIN, HEAD + PLOT);
    let scale = scale::Scale::up_to(most);
    for tick in scale.ticks() {
        let y = bottom - scale.share(tick) * PLOT;
        write!(
            f,
            r#"<path d="M{left:.1},{y:.1}H{right:.1}" stroke="{}"/>"#,
            colours.line
        )?;
        let number = scale::format(tick, drawing.measure);
        write_text(f, (left - 8.0, y + 4.0), ("end", colours.faint), &number)?;
    }
    let count = scale::float(i64::try_from(bars.len()).unwrap_or(1)).max(1.0);
    let (step, every) = (
        (right - left) / count,
        bars.len().div_ceil(MAX_NAMES).max(1),
    );
    let (mut x, width) = (left, (step * 0.75).min(48.0));
    for (number, bar) in bars.iter().enumerate() {
        let height = scale.share(bar.value) * PLOT;
        let (corner, top) = (x + (step - width) / 2.0, bottom - height);
        write!(
            f,
            r#"<rect x="{corner:.1}" y="{top:.1}" width="{width:.1}" height="{height:.1}" fill="{}"><title>{}: {}</title></rect>"#,
            colours.bar,
            Escaped(&bar.label),
            scale::format(bar.value, drawing.measure)
        )?;
        if number % every == 0 {
            let at = (x + step / 2.0, bottom + 16.0);
            write_text(f, at, ("middle", colours.faint), &bar.label)?;
        }
        x += step;
    }
    Ok(())
}
