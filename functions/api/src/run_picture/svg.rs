//! The picture as SVG 1.1 without styles and scripts: it looks the same under any policy.

mod card;
mod colour;
mod escape;
mod legend;
mod route;

use std::fmt::{self, Write};

pub(crate) use self::escape::Escaped;
use self::{
    card::Card,
    legend::Legend,
    route::{Line, Route},
};
use super::{Head, Picture, layout::Layout, text};

const MARGIN: f64 = 32.0;
/// Height of the title, and of the line about the run.
const TITLE: f64 = 36.0;
const SUBTITLE: f64 = 22.0;
/// Height of the legend, with the space above it.
const LEGEND: f64 = 48.0;
/// How deep the way of an edge that leads back hangs below the boxes, at most.
const BELOW: f64 = 64.0;
const TITLE_COLUMNS: usize = 60;
/// Width of a column in the title's font.
const TITLE_COLUMN: f64 = 10.5;

/// Draws the picture.
pub(crate) fn draw(picture: &Picture) -> String {
    Drawing::new(picture).to_string()
}

struct Drawing<'p> {
    picture: &'p Picture,
    layout: Layout,
    routes: Vec<Route>,
    title: String,
    legend: Option<Legend>,
}

impl<'p> Drawing<'p> {
    fn new(picture: &'p Picture) -> Self {
        let layout = Layout::of(picture);
        let edges = picture.edges.iter().zip(&layout.bends);
        let routes = edges.map(|(edge, bends)| {
            let (from, to) = (layout.corners[edge.source], layout.corners[edge.target]);
            Route::new(from, to, bends)
        });
        Self {
            routes: routes.collect(),
            title: text::shorten(&picture.title, TITLE_COLUMNS),
            legend: picture.run.is_some().then(|| Legend::of(&picture.nodes)),
            layout,
            picture,
        }
    }

    fn width(&self) -> f64 {
        let columns = u32::try_from(text::columns(&self.title)).unwrap_or_default();
        let title = f64::from(columns) * TITLE_COLUMN;
        let legend = self.legend.as_ref().map_or(0.0, Legend::width);
        let inner = self.layout.extent().x.max(title).max(legend);
        inner + 2.0 * MARGIN
    }

    /// The height of what is above the graph.
    fn head(&self) -> f64 {
        let subtitle = self.picture.run.as_ref().map_or(0.0, |_| SUBTITLE);
        MARGIN + TITLE + subtitle
    }

    /// The height of all but the legend.
    fn body(&self) -> f64 {
        let hangs = self.routes.iter().any(|route| route.is_below);
        let below = if hangs { BELOW } else { 0.0 };
        self.head() + self.layout.extent().y + below + MARGIN
    }

    fn write_head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            r##"<text x="{MARGIN}" y="50" font-size="18" font-weight="600" fill="#1f2328">{}</text>"##,
            Escaped(&self.title)
        )?;
        if let Some(run) = &self.picture.run {
            write!(
                f,
                r##"<text x="{MARGIN}" y="74" font-size="12.5" fill="#57606a">{}</text>"##,
                Escaped(&subtitle(run))
            )?;
        }
        Ok(())
    }

    fn write_graph(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            r#"<g transform="translate({MARGIN},{:.1})">"#,
            self.head()
        )?;
        let lines = self.picture.edges.iter().zip(&self.routes);
        let mut lines: Vec<Line<'_>> = lines.map(|(edge, route)| Line { edge, route }).collect();
        // What the run went along lies above what it did not.
        lines.sort_by_key(|line| line.edge.is_taken);
        lines.iter().try_for_each(|line| line.write(f))?;
        for (node, corner) in self.picture.nodes.iter().zip(&self.layout.corners) {
            Card { node, corner }.write(f)?;
        }
        lines.iter().try_for_each(|line| line.write_label(f))?;
        f.write_str("</g>")
    }
}

impl fmt::Display for Drawing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (width, body) = (self.width(), self.body());
        let legend = self.legend.as_ref().map_or(0.0, |_| LEGEND);
        let height = body + legend;
        write!(
            f,
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0}" height="{height:.0}" viewBox="0 0 {width:.0} {height:.0}" font-family="system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif" role="img">"#
        )?;
        write!(f, "<title>{}</title>", Escaped(&self.picture.title))?;
        f.write_str(route::MARKERS)?;
        f.write_str(r##"<rect width="100%" height="100%" fill="#ffffff"/>"##)?;
        self.write_head(f)?;
        self.write_graph(f)?;
        if let Some(legend) = &self.legend {
            legend.write(f, MARGIN, body + 8.0)?;
        }
        f.write_str("</svg>\n")
    }
}

fn subtitle(run: &Head) -> String {
    let mut text = String::from(run.status.as_str());
    let started = run.started_at.whole_seconds();
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        " · {} · started {started}",
        text::duration(run.duration_ms)
    );
    text
}
