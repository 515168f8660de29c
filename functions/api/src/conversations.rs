//! What people say to agents, and what was said.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    audit::{Entry, Trail},
    ids::{AgentId, ExecutionId, RecordId},
    models::{
        AuditAction, ChatMessage, ExecutionStatus, Principal, Session, StartOptions, Timestamp,
        Trigger, TriggerType,
    },
    store::{self, Listing, Page, Store, Versioned, commit_contended},
};

use crate::{
    agents,
    error::{Error, Refusal},
    idempotency::{Done, Once},
    start::{Draft, find_repeated},
};

/// Messages that are deleted in one commit.
const DELETE_BATCH: u32 = 400;

/// Messages that may have come while the others were deleted.
const LAST_BATCH: u32 = 50;

/// Something that a person says to an agent.
pub(crate) struct Message<'a> {
    pub(crate) agent_id: &'a AgentId,
    /// The conversation that it belongs to; a new one when absent.
    pub(crate) session_id: Option<&'a RecordId>,
    pub(crate) text: &'a str,
}

/// A message that was taken: the run in which the agent answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Taken {
    pub(crate) session_id: RecordId,
    pub(crate) execution_id: ExecutionId,
    pub(crate) status: ExecutionStatus,
}

/// Takes a message, and has the agent answer it.
pub(crate) async fn say(
    store: &Store,
    principal: &Principal,
    once: &Once,
    message: &Message<'_>,
    now: Timestamp,
) -> Result<Done<Taken>, Error> {
    if let Some(taken) = find_taken(store, principal, once, message).await? {
        return Ok(taken);
    }
    let new_id = &RecordId::generate();
    once.commit(store, || async move {
        agents::find_at_work(store, principal, message.agent_id).await?;
        let mut writes = Vec::new();
        let session_id = match message.session_id {
            Some(id) => find(store, principal, message.agent_id, id).await?.value.id,
            None => {
                let (org_id, uid) = (&principal.org_id, Some(&principal.uid));
                let session = Session::new(new_id.clone(), org_id, message.agent_id, uid, now);
                writes.push(store::sessions::create(&session)?);
                // Nothing would delete a conversation with an agent that is gone.
                writes.push(store::agents::require(message.agent_id, org_id)?);
                session.id
            }
        };
        let trigger = trigger(principal, once, message, &session_id, now);
        writes.push(store::triggers::create(&trigger)?);
        let taken = Taken {
            session_id,
            execution_id: trigger.id.into(),
            status: ExecutionStatus::Queued,
        };
        Ok((writes, taken))
    })
    .await
}

/// The caller's conversation; anybody else's does not exist.
pub(crate) async fn find(
    store: &Store,
    principal: &Principal,
    agent_id: &AgentId,
    id: &RecordId,
) -> Result<Versioned<Session>, Error> {
    let session = store.find_session(&principal.org_id, agent_id, id).await?;
    let is_own = |session: &Versioned<Session>| session.value.uid.as_ref() == Some(&principal.uid);
    session.filter(is_own).ok_or(Error::NotFound("session"))
}

/// The caller's conversations with the agent.
pub(crate) async fn list(
    store: &Store,
    principal: &Principal,
    agent_id: &AgentId,
    page: &Page,
) -> Result<Listing<Session>, Error> {
    agents::find(store, principal, agent_id).await?;
    let (org_id, uid) = (&principal.org_id, &principal.uid);
    Ok(store.list_sessions(org_id, agent_id, uid, page).await?)
}

/// What was said in the caller's conversation after message `after`.
pub(crate) async fn list_messages(
    store: &Store,
    principal: &Principal,
    (agent_id, id): (&AgentId, &RecordId),
    after: i64,
    limit: u32,
) -> Result<Vec<ChatMessage>, Error> {
    let session = find(store, principal, agent_id, id).await?.value;
    Ok(store.list_messages(&session, after, limit).await?)
}

/// Deletes the caller's conversation, and records it. The session goes last: after a crash between
/// the commits the request can be repeated.
pub(crate) async fn delete(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    (agent_id, id): (&AgentId, &RecordId),
    now: Timestamp,
) -> Result<(), Error> {
    loop {
        let session = find(store, principal, agent_id, id).await?.value;
        let removals = store.list_message_removals(&session, DELETE_BATCH).await?;
        if removals.is_empty() {
            break;
        }
        store.commit(removals).await?;
    }
    commit_contended(store, || async move {
        let session = find(store, principal, agent_id, id).await?;
        let context = json!({ "agentId": agent_id, "sessionId": id });
        let (org_id, actor) = (&principal.org_id, principal.uid.as_str());
        let entry = Entry::new(org_id, actor, AuditAction::SessionDelete, context);
        let mut writes = trail.append(entry, now).await?;
        // A turn may have ended since.
        writes.extend(
            store
                .list_message_removals(&session.value, LAST_BATCH)
                .await?,
        );
        writes.push(store::sessions::delete(&session));
        Ok((writes, ()))
    })
    .await
}

/// Approves what was said in the caller's conversation until now for training, or withdraws that, and
/// records it.
pub(crate) async fn approve(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    (agent_id, id): (&AgentId, &RecordId),
    is_approved: bool,
    now: Timestamp,
) -> Result<(), Error> {
    let (approved_at, action) = match is_approved {
        true => (Some(now), AuditAction::SessionApprove),
        false => (None, AuditAction::SessionWithdraw),
    };
    commit_contended(store, || async move {
        let mut session = find(store, principal, agent_id, id).await?;
        if session.value.approved_for_training == approved_at {
            return Ok((Vec::new(), ()));
        }
        session.value.approved_for_training = approved_at;
        let context = json!({ "agentId": agent_id, "sessionId": id });
        let entry = Entry::new(&principal.org_id, principal.uid.as_str(), action, context);
        let mut writes = trail.append(entry, now).await?;
        writes.push(store::sessions::replace(&session)?);
        Ok((writes, ()))
    })
    .await
}

/// What an earlier request under the same key was taken for, if that is the same.
async fn find_taken(
    store: &Store,
    principal: &Principal,
    once: &Once,
    message: &Message<'_>,
) -> Result<Option<Done<Taken>>, Error> {
    let is_same = |trigger: &Trigger| {
        let said = &trigger.payload.0;
        said["agentId"] == message.agent_id.as_str()
            && said["text"] == message.text
            && message
                .session_id
                .is_none_or(|id| said["sessionId"] == id.as_str())
    };
    let Some(trigger) = find_repeated(store, &principal.org_id, once, is_same).await? else {
        return Ok(None);
    };
    let session_id = trigger.payload.0["sessionId"].as_str().map(RecordId::parse);
    let Some(Ok(session_id)) = session_id else {
        return Err(Refusal::KEY_REUSED.into());
    };
    Ok(Some(Done {
        value: Taken {
            session_id,
            execution_id: trigger.id.into(),
            status: ExecutionStatus::Queued,
        },
        is_replay: true,
    }))
}

fn trigger(
    principal: &Principal,
    once: &Once,
    message: &Message<'_>,
    session_id: &RecordId,
    now: Timestamp,
) -> Trigger {
    let workflow_id = Session::workflow_of(&principal.org_id, message.agent_id);
    let payload = json!({
        "agentId": message.agent_id,
        "sessionId": session_id,
        "text": message.text,
    });
    let draft = Draft {
        kind: TriggerType::Message,
        org_id: &principal.org_id,
        workflow_id: &workflow_id,
        uid: Some(&principal.uid),
        payload: payload.into(),
        options: StartOptions::default(),
    };
    draft.into_trigger(once, now)
}
