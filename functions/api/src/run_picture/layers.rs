//! A layered layout (<https://en.wikipedia.org/wiki/Layered_graph_drawing>): each node right of
//! those before it. An edge over several layers has a place in each, so that it crosses no box.

use super::{
    edge::Edge,
    layout::{HEIGHT, Layout, Point, WIDTH},
};

/// Space between two layers, two boxes and an edge and its neighbour.
const LAYER_GAP: f64 = 84.0;
const BOX_GAP: f64 = 28.0;
const BEND_GAP: f64 = 20.0;
/// Rounds of ordering: more rarely change anything.
const SWEEPS: usize = 4;
/// How many places edges may have: beyond, they go straight.
const MAX_BENDS: usize = 4_000;

pub(super) fn arrange(node_count: usize, edges: &[Edge]) -> Layout {
    let ranked = rank(node_count, edges);
    let mut grid = Grid::new(&ranked, edges);
    for sweep in 0..SWEEPS {
        grid.reorder(sweep % 2 == 0);
    }
    grid.align(edges)
}

/// The layer of each node, and its turn: an edge to an earlier turn leads back.
struct Ranks {
    layers: Vec<usize>,
    turns: Vec<usize>,
}

impl Ranks {
    fn is_forward(&self, edge: &Edge) -> bool {
        self.turns[edge.source] < self.turns[edge.target]
    }
}

/// The longest way to each node. In a cycle, the node that is listed first comes first.
fn rank(node_count: usize, edges: &[Edge]) -> Ranks {
    let mut outgoing = vec![Vec::new(); node_count];
    let mut waits_for = vec![0_usize; node_count];
    for edge in edges.iter().filter(|edge| !edge.is_back) {
        outgoing[edge.source].push(edge.target);
        waits_for[edge.target] += 1;
    }
    let mut layers = vec![0; node_count];
    let mut turns = vec![usize::MAX; node_count];
    let is_free = |node: &usize| waits_for[*node] == 0;
    let mut ready: std::collections::VecDeque<usize> = (0..node_count).filter(is_free).collect();
    let mut rest = 0..node_count;
    for turn in 0..node_count {
        let is_open = |node: &usize| turns[*node] == usize::MAX;
        let next = ready.pop_front().or_else(|| rest.find(is_open));
        let Some(node) = next else { break };
        turns[node] = turn;
        for target in &outgoing[node] {
            if turns[*target] != usize::MAX {
                continue;
            }
            layers[*target] = layers[*target].max(layers[node] + 1);
            waits_for[*target] -= 1;
            if waits_for[*target] == 0 {
                ready.push_back(*target);
            }
        }
    }
    Ranks { layers, turns }
}

/// A node, or the place of an edge in a layer.
struct Cell {
    layer: usize,
    height: f64,
    gap: f64,
    before: Vec<usize>,
    after: Vec<usize>,
}

struct Grid {
    /// The nodes in their order, then the bends.
    cells: Vec<Cell>,
    node_count: usize,
    /// The bends of each edge.
    bends: Vec<Vec<usize>>,
    /// The cells of each layer from the top.
    layers: Vec<Vec<usize>>,
}

impl Grid {
    fn new(ranks: &Ranks, edges: &[Edge]) -> Self {
        let node_count = ranks.layers.len();
        let node = |layer: &usize| Cell::new(*layer, HEIGHT, BOX_GAP);
        let mut grid = Self {
            cells: ranks.layers.iter().map(node).collect(),
            node_count,
            bends: vec![Vec::new(); edges.len()],
            layers: Vec::new(),
        };
        let mut bend_count = 0;
        for (place, edge) in edges.iter().enumerate() {
            let mut ends = (edge.source, edge.target);
            if !ranks.is_forward(edge) {
                ends = (edge.target, edge.source);
            }
            let between = ranks.layers[ends.0] + 1..ranks.layers[ends.1];
            bend_count += between.len();
            if bend_count <= MAX_BENDS && ends.0 != ends.1 {
                grid.connect(place, ends, between);
            }
        }
        grid.fill(&ranks.turns);
        grid
    }

    /// From the left to the right, also for an edge that leads back.
    fn connect(&mut self, place: usize, ends: (usize, usize), between: std::ops::Range<usize>) {
        let mut last = ends.0;
        for layer in between {
            let bend = self.cells.len();
            self.cells.push(Cell::new(layer, 0.0, BEND_GAP));
            self.bends[place].push(bend);
            self.join(last, bend);
            last = bend;
        }
        self.join(last, ends.1);
    }

    fn join(&mut self, before: usize, after: usize) {
        self.cells[before].after.push(after);
        self.cells[after].before.push(before);
    }

    /// Nodes first, in their turn.
    fn fill(&mut self, turns: &[usize]) {
        let mut order: Vec<usize> = (0..self.cells.len()).collect();
        order.sort_by_key(|cell| turns.get(*cell).copied().unwrap_or(usize::MAX));
        for cell in order {
            let layer = self.cells[cell].layer;
            if self.layers.len() <= layer {
                self.layers.resize(layer + 1, Vec::new());
            }
            self.layers[layer].push(cell);
        }
    }

    /// Puts each cell at the mean place of those that it is connected to on one side.
    fn reorder(&mut self, to_the_right: bool) {
        let mut places = vec![0.0; self.cells.len()];
        let mut layers = std::mem::take(&mut self.layers);
        for layer in in_direction(&mut layers, to_the_right) {
            number(layer, &mut places);
            let wanted = |cell: &usize| {
                let near = self.cells[*cell].side(to_the_right);
                mean(near, &places).unwrap_or(places[*cell])
            };
            let mut keyed: Vec<(f64, usize)> =
                layer.iter().map(|cell| (wanted(cell), *cell)).collect();
            keyed.sort_by(|one, other| one.0.total_cmp(&other.0));
            *layer = keyed.into_iter().map(|(_, cell)| cell).collect();
            number(layer, &mut places);
        }
        self.layers = layers;
    }

    /// Moves the cells towards those that they are connected to, without changing their order.
    fn align(mut self, edges: &[Edge]) -> Layout {
        let mut middles = vec![0.0; self.cells.len()];
        let mut layers = std::mem::take(&mut self.layers);
        for layer in &layers {
            self.place(layer, &mut middles, |_, _| None);
        }
        for to_the_right in [true, false, true, false, true] {
            for layer in in_direction(&mut layers, to_the_right) {
                self.place(layer, &mut middles, |cell, middles| {
                    mean(cell.side(to_the_right), middles)
                });
            }
        }
        self.layout(&middles, edges)
    }

    fn place(
        &self,
        layer: &[usize],
        middles: &mut [f64],
        wanted: impl Fn(&Cell, &[f64]) -> Option<f64>,
    ) {
        let of = |cell: &usize| wanted(&self.cells[*cell], middles).unwrap_or(middles[*cell]);
        let wanted: Vec<f64> = layer.iter().map(of).collect();
        let distances: Vec<f64> = layer
            .windows(2)
            .map(|pair| self.cells[pair[0]].distance(&self.cells[pair[1]]))
            .collect();
        for (cell, middle) in layer.iter().zip(spread(&wanted, &distances)) {
            middles[*cell] = middle;
        }
    }

    fn layout(&self, middles: &[f64], edges: &[Edge]) -> Layout {
        let tops = self.cells.iter().zip(middles);
        let top = tops.map(|(cell, middle)| middle - cell.height / 2.0);
        let top = top.fold(f64::INFINITY, f64::min);
        let x = |cell: usize| as_f64(self.cells[cell].layer) * (WIDTH + LAYER_GAP);
        let corner = |cell: usize| Point {
            x: x(cell),
            y: middles[cell] - HEIGHT / 2.0 - top,
        };
        let bend = |cell: &usize| {
            let y = middles[*cell] - top;
            let left = x(*cell);
            [Point { x: left, y }, Point { x: left + WIDTH, y }]
        };
        let bends = self.bends.iter().zip(edges).map(|(bends, edge)| {
            let mut points: Vec<Point> = bends.iter().flat_map(bend).collect();
            if self.cells[edge.target].layer < self.cells[edge.source].layer {
                points.reverse();
            }
            points
        });
        Layout {
            bends: bends.collect(),
            corners: (0..self.node_count).map(corner).collect(),
        }
    }
}

impl Cell {
    fn new(layer: usize, height: f64, gap: f64) -> Self {
        Self {
            layer,
            height,
            gap,
            before: Vec::new(),
            after: Vec::new(),
        }
    }

    /// What it is connected to on the side that a sweep comes from.
    fn side(&self, to_the_right: bool) -> &[usize] {
        if to_the_right {
            &self.before
        } else {
            &self.after
        }
    }

    /// From the middle of this one to the middle of the next.
    fn distance(&self, next: &Self) -> f64 {
        f64::midpoint(self.height, next.height) + self.gap.max(next.gap)
    }
}

fn in_direction(
    layers: &mut [Vec<usize>],
    to_the_right: bool,
) -> Box<dyn Iterator<Item = &mut Vec<usize>> + '_> {
    if to_the_right {
        Box::new(layers.iter_mut())
    } else {
        Box::new(layers.iter_mut().rev())
    }
}

fn number(layer: &[usize], places: &mut [f64]) {
    for (place, cell) in layer.iter().enumerate() {
        places[*cell] = as_f64(place);
    }
}

fn mean(cells: &[usize], places: &[f64]) -> Option<f64> {
    let sum: f64 = cells.iter().map(|cell| places[*cell]).sum();
    (!cells.is_empty()).then(|| sum / as_f64(cells.len()))
}

/// The places that are nearest to those that are wanted, in this order and so far apart: isotonic
/// regression (<https://en.wikipedia.org/wiki/Isotonic_regression>).
fn spread(wanted: &[f64], distances: &[f64]) -> Vec<f64> {
    let mut offsets = vec![0.0];
    for distance in distances {
        offsets.push(offsets.last().copied().unwrap_or_default() + distance);
    }
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for (wanted, offset) in wanted.iter().zip(&offsets) {
        let mut block = (wanted - offset, 1);
        while let Some((value, size)) = blocks.pop_if(|(value, _)| *value > block.0) {
            let sum = value * as_f64(size) + block.0 * as_f64(block.1);
            block = (sum / as_f64(size + block.1), size + block.1);
        }
        blocks.push(block);
    }
    let values = blocks.into_iter();
    let values = values.flat_map(|(value, size)| std::iter::repeat_n(value, size));
    values
        .zip(offsets)
        .map(|(value, offset)| value + offset)
        .collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a graph has 500 nodes, not 2^52"
)]
fn as_f64(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_as_near_as_the_distances_allow() {
        assert_eq!(spread(&[0.0, 50.0], &[10.0]), [0.0, 50.0]);
        assert_eq!(spread(&[20.0, 20.0], &[10.0]), [15.0, 25.0]);
        assert_eq!(spread(&[9.0, 3.0, 3.0], &[3.0, 3.0]), [2.0, 5.0, 8.0]);
        assert!(spread(&[], &[]).is_empty());
    }
}
