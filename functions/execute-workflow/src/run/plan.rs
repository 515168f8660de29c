//! Which nodes come next: the graph, unfolded as far as the run has come. It knows no journal and
//! no services.
//!
//! A scope is the nodes outside of loops, or the body of a loop. A frame is a scope at work: there
//! is one for the run, and one for each item of a loop that is under way.

mod frame;
mod rounds;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use serde_json::Value;
use shared::{
    graph::{Graph, MergeMode, NodeData, NodeIndex, handle},
    inputs::Bindings,
    models::ExecutionError,
};

use self::frame::Frame;
pub(super) use self::{frame::FrameId, rounds::Rounds};

/// A node in one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) frame: FrameId,
    pub(super) node: NodeIndex,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The node runs.
    Run(Place),
    /// No edge led to the node.
    Skip(Place),
    /// All items of the loop are done.
    Close(Place),
}

/// Who has to bear a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bearer {
    /// The run fails.
    Run,
    /// The loop fails, by its node's own policy.
    Loop(Place),
    /// A loop goes on without the item.
    Item,
}

/// The graph as far as the run has come.
pub(super) struct Plan {
    graph: Arc<Graph>,
    /// Where each node is among those of its scope.
    positions: Vec<usize>,
    frames: Vec<Option<Frame>>,
    loops: HashMap<Place, Rounds>,
    turns: VecDeque<Turn>,
}

impl Plan {
    /// The frame of the run itself.
    pub(super) const RUN: FrameId = 0;

    pub(super) fn new(graph: Arc<Graph>, bindings: Bindings) -> Self {
        let mut positions = vec![0; graph.nodes().len()];
        let loops = (0..graph.nodes().len()).filter(|node| is_loop(&graph, *node));
        let scopes = loops.map(|node| graph.body_of(node));
        for scope in scopes.chain([graph.top_level()]) {
            for (position, node) in scope.iter().enumerate() {
                positions[*node] = position;
            }
        }
        let mut plan = Self {
            graph,
            positions,
            frames: Vec::new(),
            loops: HashMap::new(),
            turns: VecDeque::new(),
        };
        plan.open(None, "0".to_owned(), bindings);
        plan
    }

    /// What comes next, if anything can.
    pub(super) fn next_turn(&mut self) -> Option<Turn> {
        loop {
            let turn = self.turns.pop_front()?;
            let (Turn::Run(place) | Turn::Skip(place) | Turn::Close(place)) = turn;
            if self.is_open(place.frame) {
                return Some(turn);
            }
        }
    }

    /// Puts a node off until others have come.
    pub(super) fn put_back(&mut self, places: impl IntoIterator<Item = Place>) {
        self.turns.extend(places.into_iter().map(Turn::Run));
    }

    /// Whether a frame is still at work.
    pub(super) fn is_open(&self, frame: FrameId) -> bool {
        self.frames.get(frame).is_some_and(Option::is_some)
    }

    /// Whether every node of the run is decided.
    pub(super) fn is_done(&self) -> bool {
        self.frame(Self::RUN).is_none_or(|frame| frame.left == 0)
    }

    /// Where a frame is in loops, as [`shared::models::Step::iteration`] tells.
    pub(super) fn iteration(&self, frame: FrameId) -> &str {
        self.frame(frame).map_or("0", |frame| &frame.iteration)
    }

    /// What a node's expressions see.
    pub(super) fn bindings(&self, frame: FrameId) -> Option<&Bindings> {
        self.frame(frame).map(|frame| &frame.bindings)
    }

    /// The outputs of the nodes from which an edge was taken to this one, by their ids; the first to
    /// be taken comes first.
    pub(super) fn taken_inputs(&self, place: Place) -> Vec<(&str, &Value)> {
        let Some(frame) = self.frame(place.frame) else {
            return Vec::new();
        };
        let edges = &frame.joins[self.positions[place.node]].taken_edges;
        let mut inputs: Vec<(&str, &Value)> = Vec::new();
        for edge in edges {
            let id = self.graph.edge_at(*edge).source.as_str();
            let is_new = inputs.iter().all(|(known, _)| *known != id);
            inputs.extend(
                frame
                    .bindings
                    .output(id)
                    .filter(|_| is_new)
                    .map(|output| (id, output)),
            );
        }
        inputs
    }

    /// The node has ended, and goes on at `handle`.
    pub(super) fn take(&mut self, place: Place, handle: &str, output: Value) {
        let id = &self.graph.node_at(place.node).id;
        if let Some(frame) = self.frames.get_mut(place.frame).and_then(Option::as_mut) {
            frame.bindings.set_output(id.clone(), output);
            self.decide(place, Some(handle));
        }
    }

    /// The node is not run.
    pub(super) fn skip(&mut self, place: Place) {
        self.decide(place, None);
    }

    /// The nodes of the run that nothing follows and that have run, as the editor lists them.
    pub(super) fn leaves(&self) -> Vec<NodeIndex> {
        let nodes = 0..self.graph.nodes().len();
        let is_leaf = |node: &NodeIndex| {
            self.graph.loop_of(*node).is_none() && self.graph.is_last(*node) && self.has_run(*node)
        };
        nodes.filter(is_leaf).collect()
    }

    /// Whether a node outside of loops has run.
    pub(super) fn has_run(&self, node: NodeIndex) -> bool {
        let position = self.positions[node];
        let frame = self.frame(Self::RUN);
        frame.is_some_and(|frame| frame.joins[position].has_run)
    }

    fn frame(&self, frame: FrameId) -> Option<&Frame> {
        self.frames.get(frame)?.as_ref()
    }

    fn frame_mut(&mut self, frame: FrameId) -> Option<&mut Frame> {
        self.frames.get_mut(frame)?.as_mut()
    }

    /// The nodes of a frame's scope.
    fn scope(graph: &Graph, of: Option<NodeIndex>) -> &[NodeIndex] {
        of.map_or(graph.top_level(), |node| graph.body_of(node))
    }

    /// Begins a scope, for an item of a loop or for the run.
    fn open(
        &mut self,
        of: Option<(Place, usize)>,
        iteration: String,
        bindings: Bindings,
    ) -> FrameId {
        let graph = Arc::clone(&self.graph);
        let around = of.map(|(place, _)| place.node);
        let scope = Self::scope(&graph, around);
        let joins = scope.iter().map(|node| frame::join(&graph, around, *node));
        let id = self.frames.len();
        self.frames.push(Some(Frame {
            of,
            iteration,
            bindings,
            joins: joins.collect(),
            left: scope.len(),
            results: Vec::new(),
        }));
        for node in scope {
            self.look_at(Place {
                frame: id,
                node: *node,
            });
        }
        id
    }

    fn decide(&mut self, place: Place, handle: Option<&str>) {
        let position = self.positions[place.node];
        let Some(frame) = self.frame_mut(place.frame) else {
            return;
        };
        frame.joins[position].has_run = handle.is_some();
        frame.left -= 1;
        let (is_done, of) = (frame.left == 0, frame.of);
        let graph = Arc::clone(&self.graph);
        for edge in graph.outgoing_of(place.node) {
            let is_taken = handle == Some(graph.edge_at(*edge).source_handle.as_str());
            self.follow(place, *edge, is_taken);
        }
        if let Some((place_of_loop, item)) = of.filter(|_| is_done) {
            let result = self.result(place.frame, place_of_loop.node);
            self.frames[place.frame] = None;
            self.end_item(place_of_loop, item, result);
        }
    }

    /// Tells the node at the end of an edge whether the edge is taken.
    fn follow(&mut self, from: Place, edge: usize, is_taken: bool) {
        let target = self.graph.edge_ends(edge).1;
        if self.graph.edge_at(edge).target_handle == handle::NEXT {
            if let Some(frame) = self.frame_mut(from.frame).filter(|_| is_taken) {
                frame.results.push(from.node);
            }
            return;
        }
        // An edge into a loop's body: its frames begin with it taken.
        if self.graph.loop_of(target) != self.graph.loop_of(from.node) {
            return;
        }
        let position = self.positions[target];
        if let Some(frame) = self.frame_mut(from.frame) {
            let join = &mut frame.joins[position];
            join.undecided = join.undecided.saturating_sub(1);
            if is_taken {
                join.taken += 1;
                join.taken_edges.push(edge);
            }
        }
        self.look_at(Place {
            node: target,
            ..from
        });
    }

    /// Gives the node its turn, if it has become clear whether it runs.
    fn look_at(&mut self, place: Place) {
        let mode = match &self.graph.node_at(place.node).data {
            NodeData::Merge(data) => data.mode,
            _ => MergeMode::Any,
        };
        let position = self.positions[place.node];
        let Some(frame) = self.frame_mut(place.frame) else {
            return;
        };
        let join = &mut frame.joins[position];
        let Some(runs) = join.outcome(mode).filter(|_| !join.had_turn) else {
            return;
        };
        join.had_turn = true;
        let turn = if runs {
            Turn::Run(place)
        } else {
            Turn::Skip(place)
        };
        self.turns.push_back(turn);
    }
}

fn is_loop(graph: &Graph, node: NodeIndex) -> bool {
    matches!(graph.node_at(node).data, NodeData::Loop(_))
}

/// What stands for the result of an item that failed.
fn failed_item(error: &ExecutionError) -> Value {
    serde_json::json!({ "error": { "code": error.code, "message": error.message } })
}
