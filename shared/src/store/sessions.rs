//! `agents/{id}/sessions` and their messages.

use super::{
    DocumentPath, Error, Listing, Page, Store, Versioned, Write,
    document_db::{Comparison, Precondition, Query},
};
use crate::{
    ids::{AgentId, OrgId, RecordId, Uid},
    models::{ChatMessage, Session, SystemPrincipal},
};

impl Store {
    /// The conversation with the organization's agent; another organization's does not exist.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_session(
        &self,
        org_id: &OrgId,
        agent_id: &AgentId,
        id: &RecordId,
    ) -> Result<Option<Versioned<Session>>, Error> {
        let session: Option<Versioned<Session>> = self.load(&path(agent_id, id)).await?;
        Ok(session.filter(|session| session.value.org_id == *org_id))
    }

    /// The user's conversations with the organization's agent, by id.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_sessions(
        &self,
        org_id: &OrgId,
        agent_id: &AgentId,
        uid: &Uid,
        page: &Page,
    ) -> Result<Listing<Session>, Error> {
        let query = sessions_of(org_id, agent_id, page.limit);
        let query = query.filter("uid", Comparison::Equal, uid.as_str());
        self.page_by_id(query, page).await
    }

    /// The messages of a conversation after message `after`, in order.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_messages(
        &self,
        session: &Session,
        after: i64,
        limit: u32,
    ) -> Result<Vec<ChatMessage>, Error> {
        let collection = path(&session.agent_id, &session.id).collection("messages");
        let mut query = Query::new(collection, limit).filter(
            "orgId",
            Comparison::Equal,
            session.org_id.as_str(),
        );
        query.after = (after > 0).then(|| (None, message_id(after)));
        let messages: Vec<Versioned<ChatMessage>> = self.list(&query).await?;
        Ok(messages.into_iter().map(|message| message.value).collect())
    }

    /// The writes that delete messages of a conversation, at most `limit`; none when all are gone.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_message_removals(
        &self,
        session: &Session,
        limit: u32,
    ) -> Result<Vec<Write>, Error> {
        let collection = path(&session.agent_id, &session.id).collection("messages");
        let query = Query::new(collection, limit);
        let org_id = session.org_id.as_str();
        self.list_removals(&query.filter("orgId", Comparison::Equal, org_id))
            .await
    }

    /// The writes that delete one of the conversations with the organization's agent, its messages
    /// first, at most `limit`; none when all are gone.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_session_removals(
        &self,
        org_id: &OrgId,
        agent_id: &AgentId,
        limit: u32,
    ) -> Result<Vec<Write>, Error> {
        self.first_removals(&sessions_of(org_id, agent_id, 1), limit)
            .await
    }

    /// The same for the user's conversations with agents of all organizations.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_session_removals_of_user(
        &self,
        _caller: &SystemPrincipal,
        uid: &Uid,
        limit: u32,
    ) -> Result<Vec<Write>, Error> {
        let query = Query::group("sessions", 1);
        self.first_removals(&query.filter("uid", Comparison::Equal, uid.as_str()), limit)
            .await
    }

    /// A turn that ends meanwhile changes the conversation, so that no message of it is left alone.
    async fn first_removals(&self, sessions: &Query, limit: u32) -> Result<Vec<Write>, Error> {
        let Some(session) = self.db.query(sessions).await?.into_iter().next() else {
            return Ok(Vec::new());
        };
        let messages = Query::new(session.path.collection("messages"), limit);
        let mut removals = self.list_removals(&messages).await?;
        if removals.len() < limit as usize {
            let unchanged = Precondition::Version(session.version);
            removals.push(super::delete(session.path, unchanged));
        }
        Ok(removals)
    }
}

/// Creates the conversation.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(session: &Session) -> Result<Write, Error> {
    super::create(path(&session.agent_id, &session.id), session)
}

/// Replaces the conversation, if nobody changed it meanwhile.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn replace(session: &Versioned<Session>) -> Result<Write, Error> {
    let Session { agent_id, id, .. } = &session.value;
    super::replace(path(agent_id, id), session)
}

/// Deletes the conversation, if nobody changed it meanwhile. Its messages are to be deleted before.
#[must_use]
pub fn delete(session: &Versioned<Session>) -> Write {
    let Session { agent_id, id, .. } = &session.value;
    super::delete(path(agent_id, id), Precondition::Version(session.version))
}

/// Adds a message to the conversation; each is written once.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create_message(session: &Session, message: &ChatMessage) -> Result<Write, Error> {
    let path = path(&session.agent_id, &session.id).child("messages", &message_id(message.seq));
    super::create(path, message)
}

fn sessions_of(org_id: &OrgId, agent_id: &AgentId, limit: u32) -> Query {
    let agent = DocumentPath::new("agents", agent_id.as_str());
    Query::new(agent.collection("sessions"), limit).filter(
        "orgId",
        Comparison::Equal,
        org_id.as_str(),
    )
}

fn path(agent_id: &AgentId, id: &RecordId) -> DocumentPath {
    DocumentPath::new("agents", agent_id.as_str()).child("sessions", id.as_str())
}

/// Zero-padded, so that ids sort as numbers.
fn message_id(seq: i64) -> String {
    format!("{seq:010}")
}
