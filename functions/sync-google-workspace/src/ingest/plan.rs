use std::collections::HashSet;

use sha2::{Digest, Sha256};
use shared::{
    ids::RecordId,
    knowledge::titled_terms,
    models::{KnowledgeChunk, KnowledgeDocument, Trigger, Vector},
    store::{self, Page, Versioned, Write, knowledge},
};

use super::{Described, Looked, Now, UNREAD, large::Large};
use crate::{
    change::Change,
    leg::Leg,
    stop::Stop,
    text::{Chunks, chunk},
};

/// Texts that one call embeds at most.
pub(crate) const MAX_TEXTS: usize = 96;

/// Bytes of them at most: about 20,000 tokens. With their terms and vectors they are written in one
/// commit, which may have 10 MiB (<https://firebase.google.com/docs/firestore/quotas>).
pub(crate) const MAX_TEXT_BYTES: usize = 60_000;

/// Chunks that go in the same commit at most, of which each model has one.
pub(super) const MAX_REMOVED: u32 = 100;

/// A text up to so long is cut at once: to hand it over would take as long.
const MAX_SHORT_BYTES: usize = 8 << 10;

/// Chunks that are read at once, each with its vector.
const LISTED: u32 = 200;

/// What is to be done about a mail or file.
pub(super) enum Work {
    /// A commit.
    Change(Change),
    /// A text to place in the space of models first.
    Text(Box<Text>),
    /// Several commits.
    Large(Box<Large>),
}

/// A text that is not in the index.
pub(super) struct Text {
    pub(super) document: KnowledgeDocument,
    pub(super) was: Option<Versioned<KnowledgeDocument>>,
    pub(super) chunks: Vec<String>,
    /// Whether its end was left out.
    pub(super) is_cut: bool,
    pub(super) triggers: Vec<Trigger>,
}

pub(super) async fn plan(leg: &Leg<'_>, looked: Looked) -> Result<Work, Stop> {
    let Looked { was, now, triggers } = looked;
    let change = match (now, was) {
        (Now::Same, _) | (Now::Gone, None) | (Now::Relabelled(_), None) => {
            Change::starting(triggers)
        }
        (Now::Gone, Some(was)) if is_large(&was.value) => {
            return Ok(Work::Large(Box::new(Large::Removal(was))));
        }
        (Now::Gone, Some(was)) => removal(leg, &was),
        (Now::Relabelled(described), Some(was)) => {
            return Ok(relabel(leg, was, described, triggers).await?);
        }
        (Now::There(described, text), was) => {
            return write(leg, was, described, text, triggers).await;
        }
    };
    Ok(Work::Change(change))
}

/// Whether a document's chunks are too many for a commit, or nobody knows which there are.
pub(super) fn is_large(document: &KnowledgeDocument) -> bool {
    document.is_partial || document.chunks > MAX_REMOVED
}

/// Removes a document and its chunks.
pub(super) fn removal(leg: &Leg<'_>, was: &Versioned<KnowledgeDocument>) -> Change {
    let chunks = chunk_ids(leg, &was.value);
    let removed = chunks
        .iter()
        .map(|id| knowledge::delete_chunk(leg.org_id(), id));
    let mut writes: Vec<Write> = removed.collect();
    writes.push(knowledge::delete_document(leg.org_id(), was));
    Change {
        writes,
        documents: -1,
        bytes: -was.value.bytes,
        ..Change::default()
    }
}

/// The ids of a document's chunks under all models.
pub(super) fn chunk_ids(leg: &Leg<'_>, document: &KnowledgeDocument) -> Vec<RecordId> {
    let under = |model: &String| {
        let ordinals = 0..document.chunks;
        let ids = ordinals.map(|ordinal| document.chunk_id_under(model, ordinal));
        ids.collect::<Vec<_>>()
    };
    leg.models.iter().flat_map(under).collect()
}

/// The ids of those of a document's chunks that there are: under the next model, not all are made.
pub(super) async fn placed_ids(
    leg: &Leg<'_>,
    document: &KnowledgeDocument,
) -> Result<Vec<RecordId>, store::Error> {
    let ids = chunk_ids(leg, document);
    if leg.models.len() < 2 {
        return Ok(ids);
    }
    let (mut placed, mut page) = (HashSet::new(), Page::first(LISTED));
    loop {
        let store = &leg.app.store;
        let found = store.list_chunks_of_document(leg.org_id(), &document.id, &page);
        let found = found.await?;
        placed.extend(found.items.into_iter().map(|chunk| chunk.value.id));
        page.after = found.next;
        if page.after.is_none() {
            return Ok(ids.into_iter().filter(|id| placed.contains(id)).collect());
        }
    }
}

async fn relabel(
    leg: &Leg<'_>,
    was: Versioned<KnowledgeDocument>,
    described: Described,
    triggers: Vec<Trigger>,
) -> Result<Work, store::Error> {
    let document = KnowledgeDocument {
        source: described.source,
        revision: described.revision,
        ..was.value.clone()
    };
    if document == was.value {
        return Ok(Work::Change(Change::starting(triggers)));
    }
    let document = KnowledgeDocument {
        updated_at: leg.app.now(),
        ..document
    };
    let is_renamed = document.source.title != was.value.source.title;
    if document.chunks > MAX_REMOVED || (document.chunks > 0 && is_renamed) {
        let large = Large::Labels {
            was,
            document,
            triggers,
        };
        return Ok(Work::Large(Box::new(large)));
    }
    let ids = placed_ids(leg, &document).await?;
    let mut writes = relabelled(leg, &document, &ids)?;
    writes.push(knowledge::set_document(
        leg.org_id(),
        &document,
        Some(was.version),
    )?);
    Ok(Work::Change(Change {
        writes,
        triggers,
        is_put_off: document.revision == UNREAD,
        ..Change::default()
    }))
}

/// The writes that tell chunks what is told of their document.
fn relabelled(
    leg: &Leg<'_>,
    document: &KnowledgeDocument,
    ids: &[RecordId],
) -> Result<Vec<Write>, store::Error> {
    let labels = knowledge::ChunkLabels {
        source: &document.source,
        revision: &document.revision,
        terms: None,
    };
    ids.iter()
        .map(|id| knowledge::relabel_chunk(leg.org_id(), id, &labels))
        .collect()
}

async fn write(
    leg: &Leg<'_>,
    was: Option<Versioned<KnowledgeDocument>>,
    described: Described,
    text: Option<String>,
    triggers: Vec<Trigger>,
) -> Result<Work, Stop> {
    let content_hash = text.as_deref().map_or_else(String::new, hash);
    if let Some(known) = was.as_ref().filter(|was| !was.value.is_partial)
        && known.value.content_hash == content_hash
    {
        return Ok(relabel(leg, known.clone(), described, triggers).await?);
    }
    let text = text.unwrap_or_default();
    let bytes = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let Some(Chunks {
        texts: chunks,
        left_out,
    }) = cut(leg, text).await?
    else {
        let described = described.put_off(was.as_ref());
        return Box::pin(write(leg, was, described, None, triggers)).await;
    };
    if leg.is_spent && !chunks.is_empty() {
        return Ok(Work::Change(Change::starting(triggers)));
    }
    let integration_id = leg.integration_id();
    let Described { source, revision } = described;
    let document = KnowledgeDocument {
        id: KnowledgeDocument::id_of(integration_id, leg.kind, &source.id),
        integration_id: integration_id.clone(),
        owner_uid: leg.owner_uid.clone(),
        source,
        revision,
        content_hash,
        chunks: u32::try_from(chunks.len()).unwrap_or(u32::MAX),
        bytes,
        embedding_model: leg.models.first().cloned().unwrap_or_default(),
        principals: vec![leg.principal.clone()],
        is_partial: false,
        updated_at: leg.app.now(),
    };
    let text = Text {
        document,
        was,
        chunks,
        is_cut: left_out > 0,
        triggers,
    };
    let replaces_large = text.was.as_ref().is_some_and(|was| is_large(&was.value));
    Ok(match replaces_large || text.is_large() {
        true => Work::Large(Box::new(Large::Text(text))),
        false => Work::Text(Box::new(text)),
    })
}

/// The chunks of a text, if they come in time: a long one takes its own.
async fn cut(leg: &Leg<'_>, text: String) -> Result<Option<Chunks>, Stop> {
    if text.len() <= MAX_SHORT_BYTES {
        return Ok(Some(chunk(&text)));
    }
    leg.app.readers.read(move || chunk(&text)).await
}

impl Text {
    fn is_large(&self) -> bool {
        self.chunks.len() > MAX_TEXTS || self.bytes() > MAX_TEXT_BYTES
    }

    /// Bytes of the chunks, which overlap.
    pub(super) fn bytes(&self) -> usize {
        self.chunks.iter().map(String::len).sum()
    }

    /// What it adds to what the organization keeps.
    pub(super) fn growth(&self) -> (i64, i64) {
        let was = self.was.as_ref().map(|was| &was.value);
        let documents = i64::from(was.is_none());
        (
            documents,
            self.document.bytes - was.map_or(0, |was| was.bytes),
        )
    }

    /// The writes of some of its chunks with their vectors under a model.
    pub(super) fn chunk_writes(
        &self,
        leg: &Leg<'_>,
        model: &str,
        first: usize,
        vectors: Vec<Vector>,
    ) -> Result<Vec<Write>, store::Error> {
        let document = &self.document;
        let texts = self.chunks.iter().enumerate().skip(first);
        let write = |((ordinal, text), embedding): ((usize, &String), Vector)| {
            let ordinal = u32::try_from(ordinal).unwrap_or(u32::MAX);
            let chunk = KnowledgeChunk {
                id: document.chunk_id_under(model, ordinal),
                document_id: document.id.clone(),
                ordinal,
                source: document.source.clone(),
                integration_id: document.integration_id.clone(),
                owner_uid: document.owner_uid.clone(),
                text: text.clone(),
                terms: titled_terms(&document.principals, &document.source.title, text),
                embedding,
                embedding_model: model.to_owned(),
                dimension: Vector::INDEXED_DIMENSION,
                revision: document.revision.clone(),
                content_hash: document.content_hash.clone(),
                principals: document.principals.clone(),
            };
            knowledge::set_chunk(leg.org_id(), &chunk)
        };
        texts.zip(vectors).map(write).collect()
    }
}

fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}
