//! Steps that began and ended between two commits share documents.

use shared::{inputs::Extent, models::Step};

/// Bytes in one document: Firestore allows 1 MiB
/// (<https://firebase.google.com/docs/firestore/quotas>), and text in text takes up to twice as much.
const MAX_BYTES: usize = 400_000;
/// What a step takes beside its output, in bytes.
const STEP_BYTES: usize = 600;

/// Lists of steps that each fit into a document.
#[derive(Default)]
pub(super) struct Pages {
    full: Vec<Vec<Step>>,
    last: Vec<Step>,
    bytes: usize,
}

impl Pages {
    pub(super) fn push(&mut self, step: Step) {
        let output = step.result.as_ref().map(|result| &result.output.0);
        let bytes = STEP_BYTES + output.map_or(0, |output| Extent::of(output).bytes);
        if self.bytes + bytes > MAX_BYTES && !self.last.is_empty() {
            self.full.push(std::mem::take(&mut self.last));
            self.bytes = 0;
        }
        self.bytes += bytes;
        self.last.push(step);
    }

    pub(super) fn finish(mut self) -> Vec<Vec<Step>> {
        if !self.last.is_empty() {
            self.full.push(self.last);
        }
        self.full
    }
}
