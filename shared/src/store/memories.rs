//! `agents/{id}/memories`.

use super::{
    DocumentPath, Error, Listing, Page, Store, Versioned, Write,
    document_db::{Comparison, Nearest, Order, Precondition, Query},
    position, readable,
};
use crate::{
    ids::{AgentId, OrgId, RecordId, Uid},
    models::{Memory, SystemPrincipal, Vector},
};

/// What memories are looked for by.
#[derive(Clone, Debug, PartialEq)]
pub struct MemorySearch {
    /// The user with whom the agent talks: it also gets what is remembered of it alone.
    pub subject_uid: Option<Uid>,
    /// The model that made the vector.
    pub embedding_model: String,
    /// What the memories are to be near to.
    pub vector: Vector,
    /// One minus the cosine, from 0 to 2.
    pub max_distance: f64,
}

impl Store {
    /// The memory of the organization's agent; another organization's does not exist.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_memory(
        &self,
        org_id: &OrgId,
        agent_id: &AgentId,
        id: &RecordId,
    ) -> Result<Option<Versioned<Memory>>, Error> {
        let memory: Option<Versioned<Memory>> = self.load(&path(agent_id, id)).await?;
        Ok(memory.filter(|memory| memory.value.org_id == *org_id))
    }

    /// The memories of the organization's agent, oldest first.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_memories(
        &self,
        org_id: &OrgId,
        agent_id: &AgentId,
        page: &Page,
    ) -> Result<Listing<Memory>, Error> {
        let mut query = memories_of(org_id, agent_id, page.limit.saturating_add(1))
            .order(Order::Ascending("createdAt"));
        query.after = page.after.as_deref().and_then(position::parse);
        let mut documents = self.db.query(&query).await?;
        let more = documents.len() > page.limit as usize;
        documents.truncate(page.limit as usize);
        let items: Vec<Memory> = documents.iter().filter_map(readable).collect();
        let place = |memory: &Memory| position::format(memory.created_at, memory.id.as_str());
        let next = items.last().filter(|_| more).map(place);
        Ok(Listing { items, next })
    }

    /// The memories of the organization's agent that are nearest to what is looked for, nearest
    /// first: those of this user and those that anybody may be told.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_nearest_memories(
        &self,
        org_id: &OrgId,
        agent_id: &AgentId,
        search: &MemorySearch,
        limit: u32,
    ) -> Result<Vec<Memory>, Error> {
        let subjects = search.subject_uid.iter().map(Uid::as_str).chain([""]);
        let query = memories_of(org_id, agent_id, limit)
            .filter(
                "embeddingModel",
                Comparison::Equal,
                &*search.embedding_model,
            )
            .filter("subjectUid", Comparison::In, subjects.collect::<Vec<_>>())
            .nearest(Nearest {
                field: "embedding",
                vector: search.vector.clone(),
                max_distance: search.max_distance,
            });
        self.list_readable(&query).await
    }

    /// The writes that delete the oldest memories of the organization's agent, so that `kept` are
    /// left.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_oldest_memory_removals(
        &self,
        org_id: &OrgId,
        agent_id: &AgentId,
        kept: u32,
    ) -> Result<Vec<Write>, Error> {
        /// How many are removed at once: more than one only after many were added at once.
        const MOST: u32 = 100;
        let of_agent = |limit| memories_of(org_id, agent_id, limit);
        let count = self.count(&of_agent(kept.saturating_add(MOST))).await?;
        let excess = count.saturating_sub(kept);
        if excess == 0 {
            return Ok(Vec::new());
        }
        let oldest = of_agent(excess).order(Order::Ascending("createdAt"));
        self.list_removals(&oldest).await
    }

    /// The writes that delete memories of the organization's agent, at most `limit`; none when all
    /// are gone.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_memory_removals(
        &self,
        org_id: &OrgId,
        agent_id: &AgentId,
        limit: u32,
    ) -> Result<Vec<Write>, Error> {
        self.list_removals(&memories_of(org_id, agent_id, limit))
            .await
    }

    /// What agents of all organizations remember of the user alone, by path.
    ///
    /// # Errors
    /// Returns the database's error, also for one that cannot be read.
    pub async fn list_memories_of_user(
        &self,
        _caller: &SystemPrincipal,
        uid: &Uid,
        page: &Page,
    ) -> Result<Listing<Versioned<Memory>>, Error> {
        self.strict_page_by_id(of_user(uid, page.limit), page).await
    }

    /// The writes that delete what agents of all organizations remember of the user alone, at most
    /// `limit`; none when all is gone.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_memory_removals_of_user(
        &self,
        _caller: &SystemPrincipal,
        uid: &Uid,
        limit: u32,
    ) -> Result<Vec<Write>, Error> {
        self.list_removals(&of_user(uid, limit)).await
    }
}

/// Creates the memory; each is written once.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(memory: &Memory) -> Result<Write, Error> {
    super::create(path(&memory.agent_id, &memory.id), memory)
}

/// Deletes the memory, if nobody has.
#[must_use]
pub fn delete(memory: &Versioned<Memory>) -> Write {
    let Memory { agent_id, id, .. } = &memory.value;
    super::delete(path(agent_id, id), Precondition::Version(memory.version))
}

fn memories_of(org_id: &OrgId, agent_id: &AgentId, limit: u32) -> Query {
    let agent = DocumentPath::new("agents", agent_id.as_str());
    let query = Query::new(agent.collection("memories"), limit);
    query.filter("orgId", Comparison::Equal, org_id.as_str())
}

fn of_user(uid: &Uid, limit: u32) -> Query {
    Query::group("memories", limit).filter("subjectUid", Comparison::Equal, uid.as_str())
}

fn path(agent_id: &AgentId, id: &RecordId) -> DocumentPath {
    DocumentPath::new("agents", agent_id.as_str()).child("memories", id.as_str())
}
