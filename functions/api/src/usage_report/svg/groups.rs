//! A row for each of the largest groups.

use std::{cmp::Reverse, fmt};

use shared::quota::usage::Summary;

use super::{Bar, Drawing, HEAD, MARGIN, Measure, WIDTH, scale, value, write_text};
use crate::run_picture::{Escaped, shorten};

const ROW: f64 = 28.0;
/// Width of the names, and of the numbers behind the bars.
const NAMES: f64 = 190.0;
const NUMBERS: f64 = 80.0;
const NAME_COLUMNS: usize = 28;
/// Groups with a row of their own.
const MAX_GROUPS: usize = 12;

/// The largest first, and the rest as one.
pub(super) fn bars(summary: &Summary, measure: Measure) -> Vec<Bar> {
    let bars = summary.groups.iter().map(|group| Bar {
        label: group.key.clone().unwrap_or_else(|| "none".to_owned()),
        value: value(&group.totals, measure),
    });
    let mut bars: Vec<Bar> = bars.collect();
    bars.sort_by_key(|bar| Reverse(bar.value));
    if bars.len() > MAX_GROUPS {
        let rest = bars.split_off(MAX_GROUPS - 1);
        bars.push(Bar {
            label: format!("{} others", rest.len()),
            value: rest.iter().map(|bar| bar.value).sum(),
        });
    }
    bars
}

pub(super) fn height(rows: usize) -> f64 {
    scale::float(i64::try_from(rows).unwrap_or_default()).max(1.0) * ROW
}

pub(super) fn write(drawing: &Drawing, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Drawing { bars, colours, .. } = drawing;
    let most = bars.iter().map(|bar| bar.value).max().unwrap_or_default();
    let (left, right) = (MARGIN + NAMES, WIDTH - MARGIN - NUMBERS);
    let scale = scale::Scale::up_to(most);
    let mut y = HEAD;
    if bars.is_empty() {
        write_text(
            f,
            (MARGIN, y + 18.0),
            ("start", colours.faint),
            "nothing used",
        )?;
    }
    for bar in bars {
        let width = scale.share(bar.value) * (right - left);
        let name = shorten(&bar.label, NAME_COLUMNS);
        let base = y + 18.0;
        write_text(f, (left - 8.0, base), ("end", colours.text), &name)?;
        write!(
            f,
            r#"<rect x="{left:.1}" y="{:.1}" width="{width:.1}" height="{:.1}" fill="{}"><title>{}</title></rect>"#,
            y + 4.0,
            ROW - 8.0,
            colours.bar,
            Escaped(&bar.label)
        )?;
        let number = scale::format(bar.value, drawing.measure);
        write_text(
            f,
            (left + width + 8.0, base),
            ("start", colours.faint),
            &number,
        )?;
        y += ROW;
    }
    Ok(())
}
