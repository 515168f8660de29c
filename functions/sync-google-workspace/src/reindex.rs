//! Another embedding model: vectors of the next one are made beside those that are searched, then the
//! next one is searched, then the old ones go. Searches and syncs go on all the while.

use shared::{
    ids::{OrgId, fingerprint, random_token},
    models::{KnowledgeChunk, KnowledgeDocument, KnowledgeUse, Timestamp},
    store::{self, Page, Versioned, Write, commit_contended, knowledge},
};
use tokio::time::Instant;

use crate::{
    AppState,
    ingest::{MAX_TEXT_BYTES, MAX_TEXTS, embed_under},
    stop::Stop,
};

/// A worker that says nothing for so long has lost the change of the model, in seconds.
const LEASE_SECS: i64 = 60;

/// Chunks that are removed at once.
const BATCH: u32 = 300;

/// Chunks of a document at most, under both models.
const MAX_CHUNKS: u32 = 1_100;

/// Goes on with what a change of the model takes, until `deadline`; tells whether nothing is left.
/// One worker does so at a time, and another one goes on when it has said nothing for too long. What
/// fails is left to the next message.
pub(crate) async fn reindex(
    app: &AppState,
    org_id: &OrgId,
    deadline: Instant,
) -> Result<bool, store::Error> {
    let worker = random_token();
    let is_done = loop {
        if Instant::now() >= deadline {
            break false;
        }
        match Box::pin(step(app, org_id, &worker)).await {
            Ok(true) => {}
            Ok(false) => return Ok(true),
            // Somebody else has written what this step has read.
            Err(Stop::Store(error)) if error.is_lost_race() => {}
            Err(Stop::Store(error)) => return Err(error),
            Err(stop) => {
                let error = &stop as &dyn std::error::Error;
                tracing::warn!(org.id = %org_id, error, "change of the model is put off");
                break true;
            }
        }
    };
    leave(app, org_id, &worker).await?;
    Ok(is_done)
}

/// Lets another worker go on at once.
async fn leave(app: &AppState, org_id: &OrgId, worker: &str) -> Result<(), store::Error> {
    commit_contended(&app.store, || async move {
        let found = app.store.find_knowledge_use(org_id).await?;
        let is_own =
            |found: &Versioned<KnowledgeUse>| found.value.reindexer.as_deref() == Some(worker);
        let Some(Versioned { mut value, version }) = found.filter(is_own) else {
            return Ok((Vec::new(), ()));
        };
        (value.reindexer, value.reindexing_until) = (None, None);
        let write = knowledge::set_use(org_id, &value, Some(version))?;
        Ok((vec![write], ()))
    })
    .await
}

/// Takes the next step, if there is one for this worker.
async fn step(app: &AppState, org_id: &OrgId, worker: &str) -> Result<bool, Stop> {
    let is_begun = |used: &KnowledgeUse| used.documents > 0 || used.previous_model.is_some();
    let found = app.store.find_knowledge_use(org_id).await?;
    let Some(Versioned { value, version }) = found.filter(|found| is_begun(&found.value)) else {
        return Ok(false);
    };
    let (before, mut used) = (value.clone(), value);
    let wanted = &app.settings.embedding_model;
    if is_settled(&used, wanted) || is_of_another(&used, worker, app.now()) {
        return Ok(false);
    }
    used.reindexer = Some(worker.to_owned());
    used.reindexing_until = Some(app.now().plus_seconds(LEASE_SECS));
    if before.reindexer != used.reindexer {
        let write = knowledge::set_use(org_id, &used, Some(version))?;
        app.store.commit(vec![write]).await?;
        return Ok(true);
    }
    let mut writes = advance(app, org_id, &mut used).await?;
    if is_settled(&used, wanted) {
        (used.reindexer, used.reindexing_until) = (None, None);
    }
    if used != before {
        writes.push(knowledge::set_use(org_id, &used, Some(version))?);
    }
    app.store.commit(writes).await?;
    Ok(true)
}

/// Takes the step that `used` stands before.
async fn advance(
    app: &AppState,
    org_id: &OrgId,
    used: &mut KnowledgeUse,
) -> Result<Vec<Write>, Stop> {
    let wanted = &app.settings.embedding_model;
    match (used.previous_model.clone(), used.next_model.clone()) {
        (Some(old), _) => {
            let gone = app.store.list_removals_of_model(org_id, &old, BATCH);
            let writes = gone.await?;
            if writes.is_empty() {
                used.previous_model = None;
            }
            return Ok(writes);
        }
        (None, Some(next)) if next != *wanted => abandon(used),
        (None, Some(next)) => {
            let page = Page {
                limit: 1,
                after: used.reindexed_to.clone(),
            };
            let documents = app.store.list_all_knowledge_documents(org_id, &page);
            match documents.await?.items.first() {
                Some(document) => {
                    let writes = place(app, org_id, document, used, &next).await?;
                    used.reindexed_to = Some(document.value.id.to_string());
                    return Ok(writes);
                }
                None => switch(used),
            }
        }
        (None, None) => used.next_model = Some(wanted.clone()),
    }
    Ok(Vec::new())
}

/// Whether only the wanted model has vectors.
fn is_settled(used: &KnowledgeUse, wanted: &str) -> bool {
    let are_others = used.next_model.is_some() || used.previous_model.is_some();
    !are_others && (used.documents <= 0 || used.embedding_model.as_deref() == Some(wanted))
}

fn is_of_another(used: &KnowledgeUse, worker: &str, now: Timestamp) -> bool {
    used.reindexer.as_deref() != Some(worker)
        && used.reindexing_until.is_some_and(|until| until > now)
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
                && other.principals == chunk.principals
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
    let mut last = parts.pop().unwrap_or_default();
    for writes in parts {
        app.store.commit(writes).await?;
    }
    if let Some(first) = last.first_mut() {
        // Whoever has listed its chunks before must not change only those.
        *first = knowledge::touch_document(org_id, document, app.now())?;
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
