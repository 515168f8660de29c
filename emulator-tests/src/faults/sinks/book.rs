//! What was called, and what came of it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;
use serde::Deserialize;

/// How a sink behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SinkKind {
    /// Knows idempotency keys: a repeat has no effect and gets the first answer.
    Keyed,
    /// The same, but takes its time.
    Slow,
    /// Fails once for each key and is [`SinkKind::Keyed`] then.
    Flaky,
    /// Knows no keys: every call has an effect.
    Unkeyed,
    /// Refuses every call for good.
    Bad,
    /// Kills whoever calls.
    Poison,
    /// Never answers.
    Silent,
    /// Answers more than anyone reads.
    Huge,
}

/// What a call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It did something.
    Done,
    /// It had been done before.
    Repeated,
    /// It was refused.
    Refused,
}

/// A call as a sink saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which sink.
    pub kind: SinkKind,
    /// Its idempotency key.
    pub key: Option<String>,
    /// The execution that called.
    pub execution: String,
    /// The node that called, with its position in loops when it has one.
    pub node: String,
    /// The worker that called.
    pub worker: usize,
    /// How many commits there were when it came.
    pub position: usize,
    /// What it came to.
    pub effect: Effect,
    /// Whether it got an answer of success. Its caller may have died before reading it.
    pub answered: bool,
}

/// Where a call stands in the book.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receipt {
    call: usize,
    /// The number of its effect, the same for repeats.
    pub(super) effect: usize,
}

/// All calls.
#[derive(Debug, Default)]
pub(super) struct Book {
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    calls: Vec<Call>,
    /// The number of the effect that a key had.
    effects: HashMap<String, usize>,
    /// How often a key was seen.
    seen: HashMap<String, u32>,
}

impl Call {
    /// A call that has not come to anything yet.
    pub(super) fn new(
        kind: SinkKind,
        key: Option<String>,
        execution: String,
        node: String,
        worker: usize,
        position: usize,
    ) -> Self {
        Self {
            kind,
            key,
            execution,
            node,
            worker,
            position,
            effect: Effect::Done,
            answered: false,
        }
    }

    /// The key, for a sink that knows keys.
    fn known_key(&self) -> Option<&String> {
        let is_known = self.kind != SinkKind::Unkeyed;
        self.key.as_ref().filter(|_| is_known)
    }
}

impl Book {
    pub(super) fn calls(&self) -> Vec<Call> {
        self.pages().calls.clone()
    }

    /// Notes that a call was answered with success.
    pub(super) fn answer(&self, receipt: Receipt) {
        if let Some(call) = self.pages().calls.get_mut(receipt.call) {
            call.answered = true;
        }
    }

    /// Writes a call down, or down and refused.
    pub(super) fn write(
        &self,
        mut call: Call,
        refusal: impl Fn(SinkKind, bool) -> Option<StatusCode>,
    ) -> Result<Receipt, StatusCode> {
        let mut pages = self.pages();
        let key = call.known_key().cloned().unwrap_or_default();
        let seen = pages.seen.entry(key.clone()).or_default();
        *seen += 1;
        let refused = refusal(call.kind, *seen == 1);
        let before = pages.effects.get(&key).copied();
        let receipt = Receipt {
            call: pages.calls.len(),
            effect: before.unwrap_or(pages.calls.len()),
        };
        call.effect = match (refused, before) {
            (Some(_), _) => Effect::Refused,
            (None, Some(_)) => Effect::Repeated,
            (None, None) => Effect::Done,
        };
        if call.effect == Effect::Done && !key.is_empty() {
            pages.effects.insert(key, receipt.effect);
        }
        pages.calls.push(call);
        refused.map_or(Ok(receipt), Err)
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
