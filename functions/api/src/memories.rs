//! What an agent remembers beyond a conversation, for the people whose organization it serves.

use futures::{Stream, stream};
use serde::Serialize;
use serde_json::{Value, json};
use shared::{
    audit::{Entry, Trail},
    ids::{AgentId, RecordId},
    models::{AuditAction, Memory, Principal, Timestamp},
    store::{self, Listing, Page, Store, commit_contended},
};

use crate::{agents, error::Error};

/// Memories read at once, each with a vector of some kilobytes.
const EXPORT_PAGE: u32 = 100;

/// Documents deleted in one commit, with the record that tells so.
const DELETE_BATCH: u32 = 400;

/// Commits that one request makes at most; an agent keeps fewer memories than they delete.
const MAX_BATCHES: u32 = 10;

/// How far the deletion of all memories has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Deleted {
    /// How many this request has deleted.
    deleted: usize,
    /// Whether none was left; otherwise the request is to be made again.
    is_complete: bool,
}

/// One page of what the agent remembers, oldest first.
pub(crate) async fn list(
    store: &Store,
    principal: &Principal,
    agent_id: &AgentId,
    page: &Page,
) -> Result<Listing<Memory>, Error> {
    agents::find(store, principal, agent_id).await?;
    let org_id = &principal.org_id;
    Ok(store.list_memories(org_id, agent_id, page).await?)
}

/// All that the agent remembers, page by page, oldest first; that it is taken out is recorded
/// before.
pub(crate) async fn export(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    agent_id: &AgentId,
    now: Timestamp,
) -> Result<impl Stream<Item = Result<Vec<Memory>, Error>> + Send + use<>, Error> {
    agents::find(store, principal, agent_id).await?;
    let entry = entry(principal, AuditAction::MemoryExport, agent_id, json!({}));
    trail.record(entry, now).await?;
    let (store, org_id) = (store.clone(), principal.org_id.clone());
    let agent_id = agent_id.clone();
    let first = Page::first(EXPORT_PAGE);
    Ok(stream::try_unfold(Some(first), move |page| {
        let (store, org_id, agent_id) = (store.clone(), org_id.clone(), agent_id.clone());
        async move {
            let Some(page) = page else { return Ok(None) };
            let listing = store.list_memories(&org_id, &agent_id, &page).await?;
            let next = listing.next.map(|after| Page {
                after: Some(after),
                ..page
            });
            Ok(Some((listing.items, next)))
        }
    }))
}

/// Deletes one memory, with its vector, and records it, in one commit.
pub(crate) async fn delete(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    agent_id: &AgentId,
    id: &RecordId,
    now: Timestamp,
) -> Result<(), Error> {
    commit_contended(store, || async move {
        let memory = store.find_memory(&principal.org_id, agent_id, id).await?;
        let memory = memory.ok_or(Error::NotFound("memory"))?;
        let context = json!({ "memoryId": id });
        let entry = entry(principal, AuditAction::MemoryDelete, agent_id, context);
        let mut writes = trail.append(entry, now).await?;
        writes.push(store::memories::delete(&memory));
        Ok((writes, ()))
    })
    .await
}

/// Deletes all memories of the agent, each batch with its record in one commit. What was cut off
/// goes on when it is repeated.
pub(crate) async fn delete_all(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    agent_id: &AgentId,
    now: Timestamp,
) -> Result<Deleted, Error> {
    agents::find(store, principal, agent_id).await?;
    let mut deleted = 0;
    for _ in 0..MAX_BATCHES {
        let batch = delete_batch(store, trail, principal, agent_id, now).await?;
        deleted += batch;
        if batch < DELETE_BATCH as usize {
            let is_complete = true;
            return Ok(Deleted {
                deleted,
                is_complete,
            });
        }
    }
    let is_complete = false;
    Ok(Deleted {
        deleted,
        is_complete,
    })
}

/// Tells how many the batch had.
async fn delete_batch(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    agent_id: &AgentId,
    now: Timestamp,
) -> Result<usize, Error> {
    commit_contended(store, || async move {
        let org_id = &principal.org_id;
        let removals = store.list_memory_removals(org_id, agent_id, DELETE_BATCH);
        let mut writes = removals.await?;
        let count = writes.len();
        if count > 0 {
            let context = json!({ "deleted": count });
            let entry = entry(principal, AuditAction::MemoryDelete, agent_id, context);
            writes.extend(trail.append(entry, now).await?);
        }
        Ok((writes, count))
    })
    .await
}

fn entry(
    principal: &Principal,
    action: AuditAction,
    agent_id: &AgentId,
    mut context: Value,
) -> Entry {
    context["agentId"] = json!(agent_id);
    Entry::new(&principal.org_id, principal.uid.as_str(), action, context)
}
