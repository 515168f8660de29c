//! Usage as a plot: SVG without styles and scripts, which looks the same in a mail.

mod days;
mod groups;
mod scale;

use std::fmt;

use shared::quota::usage::{GroupBy, Sums, Totals};

use super::{DayRange, Measure, Plot, Theme};
use crate::run_picture::Escaped;

const WIDTH: f64 = 720.0;
const MARGIN: f64 = 24.0;
/// Height of the title and of the line below it.
const HEAD: f64 = 84.0;
const FONT: &str = "system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif";

/// The colours of a theme.
struct Colours {
    ground: &'static str,
    text: &'static str,
    faint: &'static str,
    line: &'static str,
    bar: &'static str,
}

const LIGHT: Colours = Colours {
    ground: "#ffffff",
    text: "#1f2328",
    faint: "#57606a",
    line: "#d0d7de",
    bar: "#0969da",
};

const DARK: Colours = Colours {
    ground: "#0d1117",
    text: "#e6edf3",
    faint: "#9198a1",
    line: "#30363d",
    bar: "#4493f8",
};

/// A bar and what it is for.
struct Bar {
    label: String,
    value: i64,
}

struct Drawing {
    title: String,
    subtitle: String,
    colours: &'static Colours,
    measure: Measure,
    bars: Vec<Bar>,
    is_by_day: bool,
}

/// Draws a bar for each day of the range, or for each of the largest groups.
pub(super) fn draw(sums: &Sums, range: DayRange, group_by: GroupBy, plot: Plot) -> String {
    let summary = sums.summarize();
    let total = value(&summary.totals, plot.measure);
    let what = match plot.measure {
        Measure::Tokens => "Tokens",
        Measure::Cost => "Cost",
    };
    let is_by_day = group_by == GroupBy::Day;
    Drawing {
        title: format!("{what} by {}", group_by.as_str()),
        subtitle: format!(
            "{} – {} UTC · {} in all",
            range.from,
            range.to,
            scale::format(total, plot.measure)
        ),
        colours: match plot.theme {
            Theme::Light => &LIGHT,
            Theme::Dark => &DARK,
        },
        measure: plot.measure,
        bars: match is_by_day {
            true => days::bars(&summary, range, plot.measure),
            false => groups::bars(&summary, plot.measure),
        },
        is_by_day,
    }
    .to_string()
}

impl Drawing {
    fn height(&self) -> f64 {
        match self.is_by_day {
            true => days::HEIGHT,
            false => groups::height(self.bars.len()),
        }
    }
}

impl fmt::Display for Drawing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (height, colours) = (HEAD + self.height() + MARGIN, self.colours);
        write!(
            f,
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:.0}" height="{height:.0}" viewBox="0 0 {WIDTH:.0} {height:.0}" font-family="{FONT}" role="img">"#
        )?;
        write!(f, "<title>{}, {}</title>", self.title, self.subtitle)?;
        write!(
            f,
            r#"<rect width="100%" height="100%" fill="{}"/><text x="{MARGIN}" y="40" font-size="18" font-weight="600" fill="{}">{}</text><text x="{MARGIN}" y="62" font-size="12.5" fill="{}">{}</text>"#,
            colours.ground, colours.text, self.title, colours.faint, self.subtitle
        )?;
        match self.is_by_day {
            true => days::write(self, f)?,
            false => groups::write(self, f)?,
        }
        f.write_str("</svg>\n")
    }
}

/// A text in the plot.
fn write_text(
    f: &mut fmt::Formatter<'_>,
    (x, y): (f64, f64),
    (anchor, colour): (&str, &str),
    text: &str,
) -> fmt::Result {
    write!(
        f,
        r#"<text x="{x:.1}" y="{y:.1}" font-size="11.5" text-anchor="{anchor}" fill="{colour}">{}</text>"#,
        Escaped(text)
    )
}

fn value(totals: &Totals, measure: Measure) -> i64 {
    match measure {
        Measure::Tokens => totals.tokens,
        Measure::Cost => totals.cost_micro_usd,
    }
}
