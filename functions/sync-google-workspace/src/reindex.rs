//! Another embedding model: vectors of the next one are made beside those that are searched, then the
//! next one is searched, then the old ones go. Searches and syncs go on all the while.

use shared::{
    ids::{OrgId, fingerprint},
    models::{KnowledgeChunk, KnowledgeDocument, KnowledgeUse},
    store::{self, Page, Versioned, Write, knowledge},
};
use tokio::time::Instant;

use crate::{
    AppState,
    ingest::{MAX_TEXT_BYTES, MAX_TEXTS, embed_under},
    stop::Stop,
};

/// Chunks that are removed at once.
const BATCH: u32 = 300;

/// Chunks of a document at most, under both models.
const MAX_CHUNKS: u32 = 1_100;

/// Goes on with what a change of the model takes, until `deadline`; tells whether nothing is left.
/// Several workers may do so: who is slower than another goes on behind it. What fails is left to
/// the next message.
pub(crate) async fn reindex(
    app: &AppState,
    org_id: &OrgId,
    deadline: Instant,
) -> Result<bool, store::Error> {
    while Instant::now() < deadline {
        match Box::pin(step(app, org_id)).await {
            Ok(true) => {}
            Ok(false) => return Ok(true),
            // Somebody else has written what this step has read.
            Err(Stop::Store(error)) if error.is_lost_race() => {}
            Err(Stop::Store(error)) => return Err(error),
            Err(stop) => {
                let error = &stop as &dyn std::error::Error;
                tracing::warn!(org.id = %org_id, error, "change of the model is put off");
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Takes the next step, if there is one.
async fn step(app: &AppState, org_id: &OrgId) -> Result<bool, Stop> {
    let found = app.store.find_knowledge_use(org_id).await?;
    let Some(Versioned { value, version }) = found.filter(|found| found.value.documents > 0) else {
        return Ok(false);
    };
    let (before, mut used) = (value.clone(), value);
    let wanted = &app.settings.embedding_model;
    let mut writes = Vec::new();
    match (&before.previous_model, &before.next_model) {
        (Some(old), _) => {
            let gone = app.store.list_removals_of_model(org_id, old, BATCH);
            writes = gone.await?;
            if writes.is_empty() {
                used.previous_model = None;
            }
        }
        (None, Some(next)) if next != wanted => abandon(&mut used),
        (None, Some(next)) => {
            let page = Page {
                limit: 1,
                after: before.reindexed_to.clone(),
            };
            let documents = app.store.list_all_knowledge_documents(org_id, &page);
            match documents.await?.items.first() {
                Some(document) => {
                    writes = place(app, org_id, document, &before, next).await?;
                    used.reindexed_to = Some(document.value.id.to_string());
                }
                None => switch(&mut used),
            }
        }
        (None, None) if before.embedding_model.as_ref() == Some(wanted) => return Ok(false),
        (None, None) => used.next_model = Some(wanted.clone()),
    }
    if used != before {
        writes.push(knowledge::set_use(org_id, &used, Some(version))?);
    }
    app.store.commit(writes).await?;
    Ok(true)
}

/// What was made for a model that is not wanted any more goes.
fn abandon(used: &mut KnowledgeUse) {
    let unwanted = used.next_model.take();
    used.previous_model = unwanted.filter(|model| Some(model) != used.embedding_model.as_ref());
    used.reindexed_to = None;
}

/// From now on the next model is searched.
fn switch(used: &mut KnowledgeUse) {
    let next = used.next_model.take();
    let searched = std::mem::replace(&mut used.embedding_model, next);
    used.previous_model = searched.filter(|model| Some(model) != used.embedding_model.as_ref());
    used.reindexed_to = None;
}

/// Makes the vectors of a document under the next model. A large one takes several commits; the
/// writes are those of the last.
async fn place(
    app: &AppState,
    org_id: &OrgId,
    document: &Versioned<KnowledgeDocument>,
    used: &KnowledgeUse,
    next: &str,
) -> Result<Vec<Write>, Stop> {
    if document.value.is_partial {
        // Whoever ends it writes it under both.
        return Ok(Vec::new());
    }
    let page = Page::first(MAX_CHUNKS);
    let store = &app.store;
    let chunks = store.list_chunks_of_document(org_id, &document.value.id, &page);
    let chunks = chunks.await?.items.into_iter().map(|found| found.value);
    let (placed, chunks): (Vec<_>, Vec<_>) =
        chunks.partition(|chunk| chunk.embedding_model == next);
    let is_due = |chunk: &KnowledgeChunk| {
        let is_searched = Some(&chunk.embedding_model) == used.embedding_model.as_ref();
        let is_placed = placed.iter().any(|other| {
            (other.ordinal, &other.content_hash) == (chunk.ordinal, &chunk.content_hash)
        });
        is_searched && !is_placed
    };
    let due: Vec<KnowledgeChunk> = chunks.into_iter().filter(is_due).collect();
    let mut parts = Vec::new();
    for group in groups(&due) {
        let mut writes = vec![knowledge::require_document(org_id, document)?];
        let ids: Vec<&str> = group.iter().map(|chunk| chunk.id.as_str()).collect();
        let texts = group.iter().map(|chunk| chunk.text.clone()).collect();
        let vectors = embed_under(app, org_id, next, &fingerprint(&ids), texts).await?;
        for (chunk, embedding) in group.iter().zip(vectors) {
            let chunk = KnowledgeChunk {
                id: document.value.chunk_id_under(next, chunk.ordinal),
                embedding,
                embedding_model: next.to_owned(),
                ..chunk.clone()
            };
            writes.push(knowledge::set_chunk(org_id, &chunk)?);
        }
        parts.push(writes);
    }
    let last = parts.pop().unwrap_or_default();
    for writes in parts {
        app.store.commit(writes).await?;
    }
    Ok(last)
}

/// The chunks in groups that one call embeds.
fn groups(chunks: &[KnowledgeChunk]) -> Vec<&[KnowledgeChunk]> {
    let (mut groups, mut first, mut bytes) = (Vec::new(), 0, 0);
    for (place, chunk) in chunks.iter().enumerate() {
        let is_full = place - first >= MAX_TEXTS || bytes + chunk.text.len() > MAX_TEXT_BYTES;
        if is_full && place > first {
            groups.push(&chunks[first..place]);
            (first, bytes) = (place, 0);
        }
        bytes += chunk.text.len();
    }
    if first < chunks.len() {
        groups.push(&chunks[first..]);
    }
    groups
}
