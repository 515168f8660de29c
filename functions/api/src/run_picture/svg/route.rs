use std::fmt::{self, Write};

use super::escape::Escaped;
use crate::run_picture::{
    edge::Edge,
    layout::{HEIGHT, Point, WIDTH},
    text,
};

/// The heads of arrows, one for each colour.
pub(super) const MARKERS: &str = concat!(
    r##"<defs><marker id="taken" viewBox="0 0 10 10" refX="8.5" refY="5" markerWidth="10" markerHeight="10" markerUnits="userSpaceOnUse" orient="auto"><path d="M0,0.5L9,5L0,9.5Z" fill="#1f2328"/></marker>"##,
    r##"<marker id="open" viewBox="0 0 10 10" refX="8.5" refY="5" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><path d="M0,0.5L9,5L0,9.5Z" fill="#afb8c1"/></marker>"##,
    r##"<marker id="plain" viewBox="0 0 10 10" refX="8.5" refY="5" markerWidth="10" markerHeight="10" markerUnits="userSpaceOnUse" orient="auto"><path d="M0,0.5L9,5L0,9.5Z" fill="#6e7781"/></marker></defs>"##,
);

const LABEL_COLUMNS: usize = 18;
/// How far from a box an edge has to be to turn into it from above or below.
const CLEARANCE: f64 = 16.0;
/// How far two boxes are apart that have nothing between them.
const NEAR: f64 = 120.0;

/// The way of an edge from box to box.
pub(super) struct Route {
    /// A path of SVG.
    path: String,
    /// The middle of its label.
    label: Point,
    /// Whether it hangs below the boxes.
    pub(super) is_below: bool,
}

impl Route {
    /// From one side to the facing one. What would lead back through boxes goes below them.
    pub(super) fn new(from: Point, to: Point, bends: &[Point]) -> Self {
        let right = Point::middle_of(from, 1.0, 0.5);
        let left = Point::middle_of(to, 0.0, 0.5);
        let is_beside = (from.x - to.x).abs() < WIDTH;
        if right.x <= left.x {
            Self::sideways(right, left, bends)
        } else if !bends.is_empty() || (0.0..NEAR).contains(&(from.x - to.x - WIDTH)) {
            Self::back(from, to, bends)
        } else if is_beside && from.y + HEIGHT <= to.y {
            let (start, end) = (
                Point::middle_of(from, 0.5, 1.0),
                Point::middle_of(to, 0.5, 0.0),
            );
            Self::curved(start, end)
        } else if is_beside && to.y + HEIGHT <= from.y {
            let (start, end) = (
                Point::middle_of(from, 0.5, 0.0),
                Point::middle_of(to, 0.5, 1.0),
            );
            Self::curved(start, end)
        } else {
            let (start, end) = (
                Point::middle_of(from, 0.6, 1.0),
                Point::middle_of(to, 0.4, 1.0),
            );
            Self::below(start, end)
        }
    }

    fn sideways(start: Point, end: Point, bends: &[Point]) -> Self {
        let mut path = format!("M{start}");
        let mut last = start;
        for (into, out_of) in pairs(bends) {
            push_curve(&mut path, last, into);
            push_line(&mut path, out_of);
            last = out_of;
        }
        push_curve(&mut path, last, end);
        let middle = Point::between(start, end);
        Self {
            path,
            label: label_at(bends).unwrap_or(middle),
            is_below: false,
        }
    }

    /// To the left, past the boxes of the layers between.
    fn back(from: Point, to: Point, bends: &[Point]) -> Self {
        let (start, end) = (Side::of(from, bends.first()), Side::of(to, bends.last()));
        let (first, mut last) = (start.place(from, 0.0), None);
        let mut path = format!("M{first}");
        for (into, out_of) in pairs(bends) {
            match last {
                None if start != Side::Beside => push_bow(&mut path, first, into),
                _ => push_curve(&mut path, last.unwrap_or(first), into),
            }
            push_line(&mut path, out_of);
            last = Some(out_of);
        }
        let (last, target) = (last.unwrap_or(first), end.place(to, 1.0));
        if end == Side::Beside {
            push_curve(&mut path, last, target);
        } else {
            push_rise(&mut path, last, target);
        }
        Self {
            path,
            label: label_at(bends).unwrap_or(Point::between(first, target)),
            is_below: false,
        }
    }

    fn curved(start: Point, end: Point) -> Self {
        let half = f64::midpoint(start.y, end.y);
        let (one, other) = (Point { y: half, ..start }, Point { y: half, ..end });
        Self {
            path: format!("M{start}C{one} {other} {end}"),
            label: Point::between(start, end),
            is_below: false,
        }
    }

    fn below(start: Point, end: Point) -> Self {
        let depth = start.y.max(end.y) + 60.0;
        let (one, other) = (Point { y: depth, ..start }, Point { y: depth, ..end });
        let label = Point {
            x: f64::midpoint(start.x, end.x),
            y: f64::midpoint(start.y, end.y) * 0.25 + depth * 0.75,
        };
        Self {
            path: format!("M{start}C{one} {other} {end}"),
            label,
            is_below: true,
        }
    }
}

/// Where the way back of a loop leaves a box or comes into it.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Above,
    Below,
    /// At the foot of the box's left or right side: other edges have the middle.
    Beside,
}

impl Side {
    /// The side on which the way lies.
    fn of(corner: Point, bend: Option<&Point>) -> Self {
        let height = bend.map(|bend| bend.y - corner.y);
        match height {
            Some(height) if height < -CLEARANCE => Self::Above,
            Some(height) if height > HEIGHT + CLEARANCE => Self::Below,
            _ => Self::Beside,
        }
    }

    /// `across` is 0 for the left side and 1 for the right.
    fn place(self, corner: Point, across: f64) -> Point {
        match self {
            Self::Above => Point::middle_of(corner, 0.5, 0.0),
            Self::Below => Point::middle_of(corner, 0.5, 1.0),
            Self::Beside => Point::middle_of(corner, across, 0.82),
        }
    }
}

/// An edge on its way.
pub(super) struct Line<'p> {
    pub(super) edge: &'p Edge,
    pub(super) route: &'p Route,
}

impl Line<'_> {
    pub(super) fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let look = match self.edge.is_taken {
            Some(true) => r##"stroke="#1f2328" stroke-width="2.5" marker-end="url(#taken)""##,
            Some(false) => {
                r##"stroke="#afb8c1" stroke-width="1.5" stroke-dasharray="5 4" marker-end="url(#open)""##
            }
            None => r##"stroke="#6e7781" stroke-width="1.75" marker-end="url(#plain)""##,
        };
        write!(f, r#"<path d="{}" fill="none" {look}/>"#, self.route.path)
    }

    pub(super) fn write_label(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(label) = self.edge.label() else {
            return Ok(());
        };
        let label = text::shorten(label, LABEL_COLUMNS);
        let columns = u32::try_from(text::columns(&label)).unwrap_or_default();
        let width = f64::from(columns) * 6.2 + 14.0;
        let Point { x, y } = self.route.label;
        let (stroke, fill) = match self.edge.is_taken {
            Some(true) => ("#1f2328", "#1f2328"),
            _ => ("#d0d7de", "#57606a"),
        };
        write!(
            f,
            r##"<rect x="{:.1}" y="{:.1}" width="{width:.1}" height="18" rx="9" fill="#ffffff" stroke="{stroke}"/><text x="{x:.1}" y="{:.1}" font-size="11" fill="{fill}" text-anchor="middle">{}</text>"##,
            x - width / 2.0,
            y - 9.0,
            y + 4.0,
            Escaped(&label)
        )
    }
}

impl Point {
    /// A place on the edge of the box at `corner`, in parts of its size.
    fn middle_of(corner: Self, across: f64, down: f64) -> Self {
        Self {
            x: corner.x + WIDTH * across,
            y: corner.y + HEIGHT * down,
        }
    }

    fn between(one: Self, other: Self) -> Self {
        Self {
            x: f64::midpoint(one.x, other.x),
            y: f64::midpoint(one.y, other.y),
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1},{:.1}", self.x, self.y)
    }
}

/// Where an edge comes into a layer, and where it leaves it.
fn pairs(bends: &[Point]) -> impl Iterator<Item = (Point, Point)> {
    let pairs = bends.chunks_exact(2);
    pairs.filter_map(|pair| match pair {
        [into, out_of] => Some((*into, *out_of)),
        _ => None,
    })
}

/// In the first layer that it passes, an edge is alone at its height.
fn label_at(bends: &[Point]) -> Option<Point> {
    let (into, out_of) = pairs(bends).next()?;
    let x = into.x + (out_of.x - into.x) * 0.2;
    Some(Point { x, ..into })
}

/// Sideways, and then up or down into a box.
fn push_rise(path: &mut String, from: Point, to: Point) {
    let corner = Point { y: from.y, ..to };
    let half = Point {
        x: f64::midpoint(from.x, to.x),
        ..from
    };
    // Writing to a string cannot fail.
    let _ = write!(path, "C{half} {corner} {to}");
}

fn push_line(path: &mut String, to: Point) {
    // Writing to a string cannot fail.
    let _ = write!(path, "L{to}");
}

/// Down or up out of a box, and then sideways.
fn push_bow(path: &mut String, from: Point, to: Point) {
    let corner = Point { y: to.y, ..from };
    let half = Point {
        x: f64::midpoint(from.x, to.x),
        ..to
    };
    // Writing to a string cannot fail.
    let _ = write!(path, "C{corner} {half} {to}");
}

fn push_curve(path: &mut String, from: Point, to: Point) {
    let half = f64::midpoint(from.x, to.x);
    let (one, other) = (Point { x: half, ..from }, Point { x: half, ..to });
    // Writing to a string cannot fail.
    let _ = write!(path, "C{one} {other} {to}");
}
