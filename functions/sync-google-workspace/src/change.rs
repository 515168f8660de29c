//! What a commit does with one mail or file.

use shared::{
    models::{SyncCounts, Trigger},
    store::Write,
};

use crate::room::Room;

/// What a commit does with one mail or file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    /// Of the document and its chunks.
    pub(crate) writes: Vec<Write>,
    /// What it adds to what the organization keeps.
    pub(crate) documents: i64,
    /// The same in bytes.
    pub(crate) bytes: i64,
    /// Texts that it writes.
    pub(crate) written: i64,
    /// Workflows that it starts, each once, whether there is room or not.
    pub(crate) triggers: Vec<Trigger>,
    /// What is done in place of it where there is no room.
    pub(crate) otherwise: Option<Box<Change>>,
    /// Whether it stands for a text that was left out for want of room.
    pub(crate) is_left_out: bool,
    /// Whether it stands for a mail or file that was not read in time, and is looked at again.
    pub(crate) is_put_off: bool,
}

/// Changes as there is room for them.
pub(crate) struct Applied<'a> {
    pub(crate) changes: Vec<&'a Change>,
    /// How many were left out.
    pub(crate) left_out: i64,
}

impl Change {
    /// Starts workflows, and does nothing else.
    pub(crate) fn starting(triggers: Vec<Trigger>) -> Self {
        Self {
            triggers,
            ..Self::default()
        }
    }

    /// What is done in place of it, whatever room there is by then.
    pub(crate) fn left_out(self) -> Self {
        Self {
            is_left_out: true,
            ..self.otherwise.map(|other| *other).unwrap_or_default()
        }
    }

    /// Whether it does nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.triggers.is_empty() && !self.is_left_out
    }

    /// The changes that there is room for: those that make room come first.
    pub(crate) fn in_room<'a>(changes: &'a [Self], room: &mut Room) -> Applied<'a> {
        let (mut applied, mut left_out) = (Vec::new(), 0);
        let grows = |change: &&Self| change.documents > 0 || change.bytes > 0;
        let shrinking = changes.iter().filter(|change| !grows(change));
        for change in shrinking.chain(changes.iter().filter(grows)) {
            if room.take(change.documents, change.bytes) {
                left_out += i64::from(change.is_left_out);
                applied.push(change);
                continue;
            }
            left_out += 1;
            if let Some(other) = change.otherwise.as_deref() {
                room.take(other.documents, other.bytes);
                applied.push(other);
            }
        }
        Applied {
            changes: applied,
            left_out,
        }
    }

    pub(crate) fn count_in(&self, counts: &mut SyncCounts) {
        counts.documents += self.documents;
        counts.written += self.written;
        counts.removed += (-self.documents).max(0);
    }
}
