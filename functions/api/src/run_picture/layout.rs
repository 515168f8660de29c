use serde_json::Value;

use super::{Node, Picture, edge::Edge, layers};

/// Size of a node's box, in pixels as everything here.
pub(super) const WIDTH: f64 = 216.0;
pub(super) const HEIGHT: f64 = 76.0;

/// Space that is left between two boxes that the editor has put beside or below each other.
const BESIDE: f64 = 64.0;
const BELOW: f64 = 28.0;
/// How far the editor's picture is stretched for our boxes; its own are smaller.
const MAX_STRETCH: f64 = 2.0;
/// How wide or high a picture by the editor's positions may be: nobody sees what lies farther.
const MAX_EXTENT: f64 = 20_000.0;

/// A place, from the left and from the top.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// Where everything is drawn.
#[derive(Debug)]
pub(super) struct Layout {
    /// The upper left corners of the nodes.
    pub(super) corners: Vec<Point>,
    /// What each edge passes on its way to a node that is not in the next layer, in pairs: where it
    /// comes into a layer, and where it leaves it.
    pub(super) bends: Vec<Vec<Point>>,
}

impl Layout {
    /// The editor's positions, if all nodes have one and there is room; otherwise layers.
    pub(super) fn of(picture: &Picture) -> Self {
        let Picture { nodes, edges, .. } = picture;
        let corners = by_editor(nodes);
        corners.map_or_else(
            || layers::arrange(nodes.len(), edges),
            |corners| Self {
                corners,
                bends: edges.iter().map(|_: &Edge| Vec::new()).collect(),
            },
        )
    }

    /// The lower right corner of it all.
    pub(super) fn extent(&self) -> Point {
        let bends = self.bends.iter().flatten().copied();
        let corners = self.corners.iter().map(|corner| Point {
            x: corner.x + WIDTH,
            y: corner.y + HEIGHT,
        });
        corners
            .chain(bends)
            .fold(Point::default(), |most, point| Point {
                x: most.x.max(point.x),
                y: most.y.max(point.y),
            })
    }
}

/// Where the editor shows the node. One in a group has its place relative to the group's.
pub(super) fn position(node: &Value) -> Option<Point> {
    let is_in_group = |key: &str| node.get(key).is_some_and(Value::is_string);
    if is_in_group("parentId") || is_in_group("parentNode") {
        return None;
    }
    let position = &node["position"];
    Some(Point {
        x: position["x"].as_f64()?,
        y: position["y"].as_f64()?,
    })
}

fn by_editor(nodes: &[Node]) -> Option<Vec<Point>> {
    let mut points: Vec<Point> = nodes
        .iter()
        .map(|node| node.position)
        .collect::<Option<_>>()?;
    let stretch = stretch(&points)?;
    let least = |axis: fn(&Point) -> f64| points.iter().map(axis).fold(f64::INFINITY, f64::min);
    let (left, top) = (least(|point| point.x), least(|point| point.y));
    for point in &mut points {
        point.x = (point.x - left) * stretch;
        point.y = (point.y - top) * stretch;
    }
    let is_near = |point: &Point| point.x <= MAX_EXTENT && point.y <= MAX_EXTENT;
    points.iter().all(is_near).then_some(points)
}

/// How far the points have to be stretched so that no boxes overlap; none if it is too far.
fn stretch(points: &[Point]) -> Option<f64> {
    let mut stretch: f64 = 1.0;
    for (place, one) in points.iter().enumerate() {
        for other in &points[place + 1..] {
            let beside = (WIDTH + BESIDE) / (one.x - other.x).abs();
            let below = (HEIGHT + BELOW) / (one.y - other.y).abs();
            stretch = stretch.max(beside.min(below));
        }
    }
    (stretch <= MAX_STRETCH).then_some(stretch)
}
