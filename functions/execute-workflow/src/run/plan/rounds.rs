//! Loops: one frame for each item under way.

use std::sync::Arc;

use serde_json::Value;
use shared::{
    graph::{ItemError, LoopData, NodeIndex},
    models::ExecutionError,
};

use super::{Bearer, FrameId, Place, Plan, Turn, failed_item};
use crate::node::join;

/// A loop at work.
pub(in crate::run) struct Rounds {
    items: Vec<Arc<Value>>,
    results: Vec<Value>,
    parallelism: usize,
    on_item_error: ItemError,
    /// The first item that has not begun.
    next: usize,
    /// Items under way.
    open: usize,
}

impl Rounds {
    pub(in crate::run) fn new(data: &LoopData, items: Vec<Arc<Value>>) -> Self {
        Self {
            results: vec![Value::Null; items.len()],
            items,
            parallelism: data.parallelism as usize,
            on_item_error: data.on_item_error,
            next: 0,
            open: 0,
        }
    }
}

impl Plan {
    /// Begins a loop with as many items as may be under way at the same time.
    pub(in crate::run) fn begin_loop(&mut self, place: Place, rounds: Rounds) {
        self.loops.insert(place, rounds);
        self.go_round(place);
    }

    /// The results of a loop, all items of which are done.
    pub(in crate::run) fn end_loop(&mut self, place: Place) -> Vec<Value> {
        let rounds = self.loops.remove(&place);
        rounds.map(|rounds| rounds.results).unwrap_or_default()
    }

    /// A node has failed everything in its frame: tells who has to bear that.
    pub(in crate::run) fn fail(&mut self, frame: FrameId, error: &ExecutionError) -> Bearer {
        let Some((place, item)) = self.frame(frame).and_then(|frame| frame.of) else {
            return Bearer::Run;
        };
        let policy = self.loops.get(&place).map(|rounds| rounds.on_item_error);
        if policy == Some(ItemError::Continue) {
            self.abandon(frame);
            self.end_item(place, item, failed_item(error));
            return Bearer::Item;
        }
        self.abandon_items(place);
        Bearer::Loop(place)
    }

    pub(super) fn end_item(&mut self, place: Place, item: usize, result: Value) {
        if let Some(rounds) = self.loops.get_mut(&place) {
            rounds.results[item] = result;
            rounds.open -= 1;
            self.go_round(place);
        }
    }

    /// What the body has come to: the output of the node that leads back, or of its last nodes.
    pub(super) fn result(&self, frame: FrameId, around: NodeIndex) -> Value {
        let Some(frame) = self.frame(frame) else {
            return Value::Null;
        };
        let graph = &self.graph;
        let last = || {
            let body = graph.body_of(around).iter().copied();
            body.filter(|node| graph.is_last(*node)).collect()
        };
        let nodes: Vec<NodeIndex> = if graph.nexts_of(around).is_empty() {
            last()
        } else {
            frame.results.clone()
        };
        let ids = nodes.iter().map(|node| graph.node_at(*node).id.as_str());
        let outputs = ids.filter_map(|id| {
            let position = self.positions[graph.index_of(id)?];
            let has_run = frame.joins.get(position)?.has_run;
            Some((id, frame.bindings.output(id).filter(|_| has_run)?))
        });
        let outputs: Vec<_> = outputs.collect();
        if outputs.is_empty() {
            return Value::Null;
        }
        join(&outputs)
    }

    /// Begins items while there are any and room is left.
    fn go_round(&mut self, place: Place) {
        let Some(id) = self
            .is_open(place.frame)
            .then(|| self.graph.node_at(place.node).id.clone())
        else {
            return;
        };
        while let Some((item, number)) = self.next_item(place) {
            let Some(around) = self.frame(place.frame) else {
                return;
            };
            let iteration = format!("{}.{number}", around.iteration);
            let bindings = around.bindings.with_loop(&id, item, number);
            self.open(Some((place, number)), iteration, bindings);
        }
        if self
            .loops
            .get(&place)
            .is_some_and(|rounds| rounds.open == 0)
        {
            self.turns.push_back(Turn::Close(place));
        }
    }

    fn next_item(&mut self, place: Place) -> Option<(Arc<Value>, usize)> {
        let rounds = self.loops.get_mut(&place)?;
        if rounds.open >= rounds.parallelism {
            return None;
        }
        let item = Arc::clone(rounds.items.get(rounds.next)?);
        rounds.open += 1;
        rounds.next += 1;
        Some((item, rounds.next - 1))
    }

    /// Ends a frame before its time, with the loops in it.
    fn abandon(&mut self, frame: FrameId) {
        self.frames[frame] = None;
        let inner = self.loops.keys().filter(|place| place.frame == frame);
        for place in inner.copied().collect::<Vec<_>>() {
            self.abandon_items(place);
        }
    }

    fn abandon_items(&mut self, place: Place) {
        self.loops.remove(&place);
        let is_of = |frame: &FrameId| {
            let of = self.frame(*frame).and_then(|frame| frame.of);
            of.is_some_and(|(around, _)| around == place)
        };
        for frame in (0..self.frames.len()).filter(is_of).collect::<Vec<_>>() {
            self.abandon(frame);
        }
    }
}
