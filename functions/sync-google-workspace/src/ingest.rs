//! From what was looked at to what the index holds.

mod group;
mod large;
mod plan;

use shared::{
    models::{KnowledgeDocument, KnowledgeSource, SyncState, Trigger},
    store::Versioned,
};

use self::{
    group::Group,
    plan::{Work, plan},
};
pub(crate) use self::{
    group::embed_under,
    plan::{MAX_TEXT_BYTES, MAX_TEXTS},
};
use crate::{leg::Leg, stop::Stop};

/// A mail or file that was looked at again.
#[derive(Debug)]
pub(crate) struct Looked {
    /// What the index knows of it.
    pub(crate) was: Option<Versioned<KnowledgeDocument>>,
    /// What it is.
    pub(crate) now: Now,
    /// The workflows that it starts.
    pub(crate) triggers: Vec<Trigger>,
}

/// The revision of what was not read in time: it is read again when all is looked at.
pub(crate) const UNREAD: &str = "";

impl Looked {
    /// What starts nothing.
    pub(crate) fn at(was: Option<Versioned<KnowledgeDocument>>, now: Now) -> Self {
        let triggers = Vec::new();
        Self { was, now, triggers }
    }
}

/// What a mail or file is.
#[derive(Debug)]
pub(crate) enum Now {
    /// Not to be found, whatever the index knows of it.
    Gone,
    /// What the index knows of it.
    Same,
    /// There, with the text that the index knows.
    Relabelled(Described),
    /// There, with this text; without one, nobody can read it.
    There(Described, Option<String>),
}

/// What is told of a mail or file.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) source: KnowledgeSource,
    pub(crate) revision: String,
}

impl Described {
    /// The same of what was not read in time. What was not before either is given up until it changes.
    pub(crate) fn put_off(mut self, was: Option<&Versioned<KnowledgeDocument>>) -> Self {
        if !was.is_some_and(is_unread) {
            UNREAD.clone_into(&mut self.revision);
        }
        self
    }
}

/// Whether it is waiting to be read.
pub(crate) fn is_unread(document: &Versioned<KnowledgeDocument>) -> bool {
    document.value.revision == UNREAD
}

/// Brings the index to what was looked at, and keeps what `update` makes of the state with the last
/// of it. Where models may not be asked any more, what goes still goes, and the state stays.
pub(crate) async fn ingest(
    leg: &mut Leg<'_>,
    looked: Vec<Looked>,
    update: impl Fn(&mut SyncState),
) -> Result<(), Stop> {
    let mut group = Group::default();
    for looked in looked {
        leg.keep_lease().await?;
        match plan(leg, looked).await? {
            Work::Change(change) if change.is_empty() => {}
            Work::Change(change) => {
                if !group.has_room_for(&change) {
                    std::mem::take(&mut group).commit(leg, |_| ()).await?;
                }
                group.add(change);
            }
            Work::Text(text) => {
                if !group.has_room_for_text(leg, &text) {
                    std::mem::take(&mut group).commit(leg, |_| ()).await?;
                }
                group.add_text(leg, *text);
            }
            Work::Large(large) => {
                std::mem::take(&mut group).commit(leg, |_| ()).await?;
                Box::pin(large.carry_out(leg)).await?;
            }
        }
    }
    group.commit(leg, update).await
}
