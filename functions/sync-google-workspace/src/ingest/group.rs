use shared::{
    ids::{OrgId, fingerprint},
    llm::EmbeddingRequest,
    models::{SyncState, Trigger, Vector},
    quota::Call,
    store::{self, Write, knowledge},
};

use super::{
    UNREAD,
    plan::{MAX_TEXT_BYTES, MAX_TEXTS, Text, chunk_ids, removal},
};
use crate::{
    AppState,
    change::Change,
    leg::Leg,
    room::Room,
    stop::{Failure, Stop},
};

/// Writes of a commit at most, besides those of texts and of the state
/// (<https://firebase.google.com/docs/firestore/quotas> allows 500 in some clients).
const MAX_WRITES: usize = 200;

/// Bytes of the triggers of a commit at most, of the 10 MiB that it may have.
const MAX_TRIGGER_BYTES: usize = 4_000_000;

/// What goes into one commit.
#[derive(Default)]
pub(super) struct Group {
    changes: Vec<Change>,
    texts: Vec<Text>,
    writes: usize,
    chunks: usize,
    bytes: usize,
    trigger_bytes: usize,
}

/// Texts and their vectors under each model.
type Placed = Vec<(String, Vec<Vector>)>;

impl Group {
    pub(super) fn has_room_for(&self, change: &Change) -> bool {
        self.writes + change.writes.len() + change.triggers.len() <= MAX_WRITES
            && self.trigger_bytes + bytes(&change.triggers) <= MAX_TRIGGER_BYTES
    }

    pub(super) fn add(&mut self, change: Change) {
        self.writes += change.writes.len() + change.triggers.len();
        self.trigger_bytes += bytes(&change.triggers);
        self.changes.push(change);
    }

    pub(super) fn has_room_for_text(&self, leg: &Leg<'_>, text: &Text) -> bool {
        self.chunks + text.chunks.len() <= MAX_TEXTS
            && self.bytes + text.bytes() <= MAX_TEXT_BYTES
            && self.writes + text.writes_beside(leg) <= MAX_WRITES
            && self.trigger_bytes + bytes(&text.triggers) <= MAX_TRIGGER_BYTES
    }

    pub(super) fn add_text(&mut self, leg: &Leg<'_>, text: Text) {
        self.chunks += text.chunks.len();
        self.bytes += text.bytes();
        self.writes += text.writes_beside(leg);
        self.trigger_bytes += bytes(&text.triggers);
        self.texts.push(text);
    }

    /// Places the texts, as far as there is room for them, and commits all of it. What goes is
    /// committed even if the model does not answer.
    pub(super) async fn commit(
        mut self,
        leg: &mut Leg<'_>,
        update: impl Fn(&mut SyncState),
    ) -> Result<(), Stop> {
        let texts = std::mem::take(&mut self.texts);
        let failed = match self.place(leg, texts).await {
            Ok(()) => None,
            Err(Stop::Failed(failure)) => Some(failure),
            Err(stop) => return Err(stop),
        };
        leg.is_spent |= failed.as_ref() == Some(&Failure::SPENT);
        if failed.is_none() && !leg.is_spent {
            return leg.commit_any(self.changes, update).await;
        }
        if !self.changes.is_empty() {
            leg.commit(self.changes, |_| ()).await?;
        }
        match failed {
            Some(failure) if failure != Failure::SPENT => Err(failure.into()),
            _ => Ok(()),
        }
    }

    async fn place(&mut self, leg: &Leg<'_>, texts: Vec<Text>) -> Result<(), Stop> {
        if texts.is_empty() {
            return Ok(());
        }
        let mut room = Room::now(leg).await?;
        Change::in_room(&self.changes, &mut room);
        let (mut placeable, mut starts) = (Vec::new(), Vec::new());
        for text in texts {
            let (documents, bytes) = text.growth();
            starts.push(Change::starting(text.triggers.clone()));
            match room.take(documents, bytes) {
                true => placeable.push(text),
                // Its pieces are not placed: it must not come in if there is room later.
                false => self.changes.push(text.change(leg, Vec::new())?.left_out()),
            }
        }
        match embed_all(leg, &placeable).await {
            Ok(placed) => self.add_placed(leg, placeable, placed),
            Err(stop) => {
                self.changes
                    .extend(starts.into_iter().filter(|start| !start.is_empty()));
                Err(stop)
            }
        }
    }

    fn add_placed(&mut self, leg: &Leg<'_>, texts: Vec<Text>, placed: Placed) -> Result<(), Stop> {
        let models = placed.into_iter();
        let mut models: Vec<_> = models
            .map(|(model, vectors)| (model, vectors.into_iter()))
            .collect();
        for text in texts {
            let mut writes = Vec::new();
            for (model, vectors) in &mut models {
                let own = vectors.by_ref().take(text.chunks.len()).collect();
                writes.extend(text.chunk_writes(leg, model, 0, own)?);
            }
            self.changes.push(text.change(leg, writes)?);
        }
        Ok(())
    }
}

impl Text {
    /// Writes besides those of its chunks.
    fn writes_beside(&self, leg: &Leg<'_>) -> usize {
        let replaced = self.was.as_ref().map_or(0, |was| was.value.chunks);
        1 + replaced as usize * leg.models.len() + self.triggers.len()
    }

    /// Writes the document with these chunks, in place of those that it had.
    fn change(self, leg: &Leg<'_>, mut writes: Vec<Write>) -> Result<Change, store::Error> {
        let (documents, bytes) = self.growth();
        let (org_id, was) = (leg.org_id(), self.was.as_ref());
        let new = chunk_ids(leg, &self.document);
        let old = was
            .map(|was| chunk_ids(leg, &was.value))
            .unwrap_or_default();
        let old = old.iter().filter(|id| !new.contains(id));
        writes.extend(old.map(|id| knowledge::delete_chunk(org_id, id)));
        let version = was.map(|was| was.version);
        writes.push(knowledge::set_document(org_id, &self.document, version)?);
        let without = was.map(|was| removal(leg, was)).unwrap_or_default();
        let is_put_off = self.document.revision == UNREAD;
        Ok(Change {
            writes,
            documents,
            bytes,
            written: 1,
            otherwise: Some(Box::new(Change {
                triggers: self.triggers.clone(),
                is_put_off,
                ..without
            })),
            triggers: self.triggers,
            is_left_out: false,
            is_put_off,
        })
    }
}

/// Of what a workflow is given, which is nearly all of a trigger.
fn bytes(triggers: &[Trigger]) -> usize {
    let payloads = triggers.iter().map(|trigger| trigger.payload.0.to_string());
    payloads.map(|payload| payload.len()).sum()
}

/// The vectors of all chunks of these texts, under each model.
async fn embed_all(leg: &Leg<'_>, texts: &[Text]) -> Result<Placed, Stop> {
    let mut parts = Vec::new();
    for text in texts {
        parts.extend([text.document.id.as_str(), &text.document.content_hash]);
    }
    let key = fingerprint(&[&fingerprint(&parts), leg.place()]);
    let inputs = texts.iter().flat_map(|text| text.chunks.iter().cloned());
    let inputs: Vec<String> = inputs.collect();
    embed(leg, &key, inputs).await
}

/// The vectors of texts under each model.
pub(super) async fn embed(leg: &Leg<'_>, key: &str, inputs: Vec<String>) -> Result<Placed, Stop> {
    let mut placed = Vec::new();
    for model in &leg.models {
        let vectors = embed_under(leg.app, leg.org_id(), model, key, inputs.clone());
        placed.push((model.clone(), vectors.await?));
    }
    Ok(placed)
}

/// The vectors of texts under a model. `key` is the same for the same texts, so that nobody pays
/// twice for what a crash has lost.
pub(crate) async fn embed_under(
    app: &AppState,
    org_id: &OrgId,
    model: &str,
    key: &str,
    inputs: Vec<String>,
) -> Result<Vec<Vector>, Stop> {
    if inputs.is_empty() {
        return Ok(Vec::new());
    }
    let count = inputs.len();
    let request = EmbeddingRequest {
        model: model.to_owned(),
        inputs,
        dimensions: Some(Vector::INDEXED_DIMENSION),
        idempotency_key: fingerprint(&["knowledge", key, model]),
    };
    let call = Call {
        org_id: org_id.clone(),
        agent_id: None,
        workflow_id: None,
        execution_id: None,
        uid: None,
        request,
    };
    let answer = app.in_time(Box::pin(app.llm.embed(&call))).await??;
    let vectors = answer.response.vectors;
    let length = Vector::INDEXED_DIMENSION as usize;
    let are_whole = vectors.iter().all(|vector| vector.len() == length);
    if vectors.len() != count || !are_whole {
        return Err(Failure::lasting("embedding_model").into());
    }
    Ok(vectors.into_iter().map(Vector::from).collect())
}
