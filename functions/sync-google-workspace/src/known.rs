//! What the index holds of a sync.

use std::collections::HashMap;

use shared::{
    ids::{RecordId, fingerprint},
    knowledge::titled_terms,
    models::{KnowledgeChunk, KnowledgeDocument, KnowledgeSource},
    store::{Listing, Page, Versioned, knowledge},
};

use crate::{change::Change, leg::Leg, stop::Stop};

/// Documents that are read at once.
const PAGE: u32 = 300;

/// Chunks whose finders are changed at once; each is written with its terms.
const SHARED_AT_ONCE: u32 = 50;

/// What the index knows of mails and files, by the provider's ids: what changes when they do.
pub(crate) type Known = HashMap<String, String>;

/// What the index knows of the leg's mails or files, as `stamp` tells it; nothing of those that it
/// has in part.
pub(crate) async fn list_known(
    leg: &mut Leg<'_>,
    stamp: impl Fn(&KnowledgeDocument) -> String,
) -> Result<Known, Stop> {
    let (mut known, mut page) = (Known::new(), Page::first(PAGE));
    loop {
        leg.keep().await?;
        let found = list(leg, &page).await?;
        for document in found.0 {
            let document = document.value;
            let stamp = match document.is_partial {
                true => String::new(),
                false => stamp(&document),
            };
            known.insert(document.source.id, stamp);
        }
        page.after = found.1;
        if page.after.is_none() {
            return Ok(known);
        }
    }
}

/// What changes when a mail or file does.
pub(crate) fn stamp(source: &KnowledgeSource, revision: &str) -> String {
    let date = source.date.map(|date| date.to_string());
    fingerprint(&[
        revision,
        &source.title,
        source.link.as_deref().unwrap_or_default(),
        date.as_deref().unwrap_or_default(),
    ])
}

/// Has everything that was written for somebody else be found by whom the integration is for now,
/// and by nobody else. No text is placed anew.
pub(crate) async fn share(leg: &mut Leg<'_>) -> Result<(), Stop> {
    let principal = leg.principal.clone();
    if leg.state.principal.as_ref() == Some(&principal) {
        return Ok(());
    }
    // Nobody knows which chunks are left of what was there before the state.
    let is_whole = leg.state.principal.is_some();
    if is_whole {
        // Nobody's, until all are: whoever is interrupted begins anew, for whomever it is then.
        leg.commit_any(Vec::new(), |state| state.principal = Some(String::new()))
            .await?;
    }
    let mut page = Page::first(PAGE);
    loop {
        let (found, next) = list(leg, &page).await?;
        for mut document in found {
            let is_due = !is_whole && !document.value.is_partial;
            document.value.is_partial |= is_due;
            if is_due || document.value.principals != [principal.as_str()] {
                leg.keep().await?;
                share_document(leg, document).await?;
            }
        }
        page.after = next;
        if page.after.is_none() {
            break;
        }
    }
    leg.commit_any(Vec::new(), |state| {
        state.principal = Some(principal.clone());
    })
    .await
}

/// A document whose chunks take several commits has no principal until the last of them.
async fn share_document(
    leg: &mut Leg<'_>,
    mut document: Versioned<KnowledgeDocument>,
) -> Result<(), Stop> {
    let principals = vec![leg.principal.clone()];
    let mut page = Page::first(SHARED_AT_ONCE);
    loop {
        let chunks = list_chunks(leg, &document.value.id, &page).await?;
        let write = |chunk: &Versioned<KnowledgeChunk>| {
            let title = &document.value.source.title;
            let terms = titled_terms(&principals, title, &chunk.value.text);
            knowledge::share_chunk(leg.org_id(), chunk, &principals, &terms)
        };
        let mut writes = chunks
            .items
            .iter()
            .map(write)
            .collect::<Result<Vec<_>, _>>()?;
        page.after = chunks.next;
        let is_last = page.after.is_none();
        let shared = KnowledgeDocument {
            owner_uid: leg.owner_uid.clone(),
            principals: match is_last {
                true => principals.clone(),
                false => Vec::new(),
            },
            updated_at: leg.app.now(),
            ..document.value.clone()
        };
        let version = Some(document.version);
        writes.push(knowledge::set_document(leg.org_id(), &shared, version)?);
        let change = Change {
            writes,
            ..Change::default()
        };
        let written = leg.commit_versioned(vec![change], |_| ()).await?;
        if is_last {
            return Ok(());
        }
        leg.keep().await?;
        let store = &leg.app.store;
        let found = store.find_knowledge_document(leg.org_id(), &shared.id);
        let Some(found) = found.await? else {
            return Ok(());
        };
        if Some(found.version) > written {
            // Whoever changes the model may have added chunks before this page.
            page.after = None;
        }
        document = found;
    }
}

async fn list(
    leg: &Leg<'_>,
    page: &Page,
) -> Result<(Vec<Versioned<KnowledgeDocument>>, Option<String>), Stop> {
    let (org_id, id) = (leg.org_id(), leg.integration_id());
    let store = &leg.app.store;
    let found = store.list_knowledge_documents(org_id, id, leg.kind, page);
    let found = found.await?;
    Ok((found.items, found.next))
}

async fn list_chunks(
    leg: &Leg<'_>,
    id: &RecordId,
    page: &Page,
) -> Result<Listing<Versioned<KnowledgeChunk>>, Stop> {
    let store = &leg.app.store;
    Ok(store
        .list_chunks_of_document(leg.org_id(), id, page)
        .await?)
}
