//! What does not fit into one commit. The document says so until the last of them.

use shared::{
    ids::{RecordId, fingerprint},
    knowledge::titled_terms,
    models::{KnowledgeDocument, Trigger},
    store::{Page, Versioned, Write, knowledge},
};

use super::{
    UNREAD,
    group::embed,
    plan::{MAX_TEXT_BYTES, MAX_TEXTS, Text, chunk_ids},
};
use crate::{
    change::Change,
    leg::Leg,
    room::Room,
    stop::{Failure, Stop},
};

/// Chunks that are looked at or deleted at once.
const BATCH: u32 = 300;

/// Chunks that get another name at once; each is written with its terms.
const RENAMED_AT_ONCE: u32 = 50;

/// What takes several commits.
pub(super) enum Large {
    /// A text, or one in place of a large one.
    Text(Text),
    /// A document goes.
    Removal(Versioned<KnowledgeDocument>),
    /// Another name, which its chunks are found by as well.
    Labels {
        was: Versioned<KnowledgeDocument>,
        document: KnowledgeDocument,
        triggers: Vec<Trigger>,
    },
}

impl Large {
    pub(super) async fn carry_out(self, leg: &mut Leg<'_>) -> Result<(), Stop> {
        match self {
            Self::Removal(was) => remove(leg, was).await,
            Self::Labels {
                was,
                document,
                triggers,
            } => {
                let starting = Change::starting(triggers);
                leg.commit_any(vec![starting], |_| ()).await?;
                rename(leg, &was, &document).await
            }
            Self::Text(text) => write(leg, text).await,
        }
    }
}

async fn rename(
    leg: &mut Leg<'_>,
    was: &Versioned<KnowledgeDocument>,
    document: &KnowledgeDocument,
) -> Result<(), Stop> {
    let org_id = leg.org_id().clone();
    let mut page = Page::first(RENAMED_AT_ONCE);
    loop {
        let store = &leg.app.store;
        let found = store.list_chunks_of_document(&org_id, &document.id, &page);
        let found = found.await?;
        let mut writes = Vec::new();
        for Versioned { value: chunk, .. } in &found.items {
            let title = &document.source.title;
            let terms = titled_terms(&chunk.principals, title, &chunk.text);
            let labels = knowledge::ChunkLabels {
                source: &document.source,
                revision: &document.revision,
                terms: Some(&terms),
            };
            writes.push(knowledge::relabel_chunk(&org_id, &chunk.id, &labels)?);
        }
        page.after = found.next;
        if page.after.is_none() {
            let version = Some(was.version);
            writes.push(knowledge::set_document(&org_id, document, version)?);
        }
        commit(leg, writes).await?;
        if page.after.is_none() {
            return Ok(());
        }
        leg.keep().await?;
    }
}

async fn remove(leg: &mut Leg<'_>, was: Versioned<KnowledgeDocument>) -> Result<(), Stop> {
    if !was.value.is_partial {
        let partial = KnowledgeDocument {
            is_partial: true,
            ..was.value.clone()
        };
        let version = Some(was.version);
        commit(
            leg,
            vec![knowledge::set_document(leg.org_id(), &partial, version)?],
        )
        .await?;
    }
    sweep(leg, &was.value.id, &[]).await?;
    let Some(found) = find(leg, &was.value.id).await? else {
        return Ok(());
    };
    let change = Change {
        writes: vec![knowledge::delete_document(leg.org_id(), &found)],
        documents: -1,
        bytes: -found.value.bytes,
        ..Change::default()
    };
    leg.commit(vec![change], |_| ()).await
}

async fn write(leg: &mut Leg<'_>, text: Text) -> Result<(), Stop> {
    let (documents, bytes) = text.growth();
    let starting = Change::starting(text.triggers.clone());
    leg.commit_any(vec![starting], |_| ()).await?;
    if !Room::now(leg).await?.take(documents, bytes) {
        return leave_out(leg, text).await;
    }
    let parts = match place(leg, &text).await {
        Err(Stop::Failed(failure)) if failure == Failure::SPENT => {
            leg.is_spent = true;
            return Ok(());
        }
        parts => parts?,
    };
    let partial = KnowledgeDocument {
        is_partial: true,
        ..text.document.clone()
    };
    let version = text.was.as_ref().map(|was| was.version);
    let begun = Change {
        writes: vec![knowledge::set_document(leg.org_id(), &partial, version)?],
        documents,
        bytes,
        ..Change::default()
    };
    leg.commit(vec![begun], |_| ()).await?;
    let is_begun = |found: &Versioned<KnowledgeDocument>| {
        found.value.is_partial && found.value.content_hash == partial.content_hash
    };
    let Some(begun) = find(leg, &partial.id).await?.filter(is_begun) else {
        // There was no room any more.
        return match text.was {
            Some(was) => remove(leg, was).await,
            None => Ok(()),
        };
    };
    let kept = chunk_ids(leg, &text.document);
    sweep(leg, &partial.id, &kept).await?;
    for writes in parts {
        commit(leg, writes).await?;
    }
    let ended = Change {
        writes: vec![knowledge::set_document(
            leg.org_id(),
            &text.document,
            Some(begun.version),
        )?],
        written: 1,
        is_put_off: text.document.revision == UNREAD,
        ..Change::default()
    };
    let skipped = i64::from(text.is_cut);
    leg.commit(vec![ended], |state| state.counts.skipped += skipped)
        .await
}

/// The writes of all chunks, as many commits as that takes.
async fn place(leg: &mut Leg<'_>, text: &Text) -> Result<Vec<Vec<Write>>, Stop> {
    let mut parts = Vec::new();
    let mut first = 0;
    while first < text.chunks.len() {
        leg.keep().await?;
        let mut bytes = 0;
        let rest = text.chunks[first..].iter().take(MAX_TEXTS);
        let fits = |chunk: &&String| {
            bytes += chunk.len();
            bytes <= MAX_TEXT_BYTES
        };
        let inputs: Vec<String> = rest.take_while(fits).cloned().collect();
        let count = inputs.len().max(1);
        let number = first.to_string();
        let key = [
            text.document.id.as_str(),
            &text.document.content_hash,
            &number,
            leg.place(),
        ];
        for (model, vectors) in embed(leg, &fingerprint(&key), inputs).await? {
            parts.push(text.chunk_writes(leg, &model, first, vectors)?);
        }
        first += count;
    }
    Ok(parts)
}

async fn leave_out(leg: &mut Leg<'_>, text: Text) -> Result<(), Stop> {
    leg.has_left_out = true;
    leg.commit(Vec::new(), |state| {
        state.counts.skipped += 1;
        state.is_incomplete = true;
    })
    .await?;
    match text.was {
        Some(was) => remove(leg, was).await,
        None => Ok(()),
    }
}

/// Deletes all chunks of a document but for those that are `kept`.
async fn sweep(leg: &mut Leg<'_>, id: &RecordId, kept: &[RecordId]) -> Result<(), Stop> {
    let mut page = Page::first(BATCH);
    loop {
        let found = leg
            .app
            .store
            .list_chunks_of_document(leg.org_id(), id, &page);
        let found = found.await?;
        let gone = found.items.iter().map(|chunk| &chunk.value.id);
        let gone = gone.filter(|id| !kept.contains(id));
        let writes: Vec<Write> = gone
            .map(|id| knowledge::delete_chunk(leg.org_id(), id))
            .collect();
        if !writes.is_empty() {
            commit(leg, writes).await?;
        }
        page.after = found.next;
        if page.after.is_none() {
            return Ok(());
        }
    }
}

async fn find(leg: &Leg<'_>, id: &RecordId) -> Result<Option<Versioned<KnowledgeDocument>>, Stop> {
    Ok(leg
        .app
        .store
        .find_knowledge_document(leg.org_id(), id)
        .await?)
}

async fn commit(leg: &mut Leg<'_>, writes: Vec<Write>) -> Result<(), Stop> {
    let change = Change {
        writes,
        ..Change::default()
    };
    leg.commit(vec![change], |_| ()).await
}
