//! The last move: what was said is kept in the conversation, both sides or neither.

use async_trait::async_trait;
use shared::{
    ids::fingerprint,
    models::{ChatMessage, ChatRole, Session, Timestamp, TriggerType},
    store::{Error, Write, agents, commit_contended, sessions},
};

use super::{
    Call, Effect, Failure, Move, Outcome, Prepared, Repeat, Stop, history::Digest,
    opening::OpenSession,
};
use crate::AppState;

/// Messages of other turns that may have come between an attempt and its repeat.
const MAX_BETWEEN: i64 = 200;

/// What one turn adds to a conversation.
pub(super) struct Closing {
    session: OpenSession,
    digest: Option<Digest>,
    said: Said,
}

/// Both sides of a turn.
pub(super) struct Said {
    prompt: String,
    answer: String,
    done: Vec<String>,
    failure: Option<String>,
}

impl Said {
    /// The next turn has to know what was done in this one, the more so if it has failed.
    pub(super) fn new(prompt: &str, answer: Result<&str, &Failure>, done: &[&str]) -> Self {
        Self {
            prompt: prompt.to_owned(),
            answer: answer.unwrap_or_default().to_owned(),
            done: done.iter().map(|&name| name.to_owned()).collect(),
            failure: answer.err().map(|failure| failure.message.clone()),
        }
    }

    /// The messages that come next in a conversation.
    fn messages(&self, session: &Session, call: &Call, now: Timestamp) -> [ChatMessage; 2] {
        let prompt = ChatMessage {
            seq: session.last_seq + 1,
            org_id: session.org_id.clone(),
            role: ChatRole::User,
            content: self.prompt.clone(),
            done: Vec::new(),
            failure: None,
            turn: call.idempotency_key.clone(),
            execution_id: call.execution.id.clone(),
            created_at: now,
        };
        let answer = ChatMessage {
            seq: prompt.seq + 1,
            role: ChatRole::Assistant,
            content: self.answer.clone(),
            done: self.done.clone(),
            failure: self.failure.clone(),
            ..prompt.clone()
        };
        [prompt, answer]
    }
}

impl Closing {
    pub(super) fn new(session: &OpenSession, digest: Option<Digest>, said: Said) -> Self {
        Self {
            session: session.clone(),
            digest,
            said,
        }
    }

    pub(super) fn into_move(self) -> Move {
        Move {
            kind: "agent.closing",
            title: "conversation kept".to_owned(),
            prepared: Ok(Prepared::Effect(Box::new(self))),
            repeat: Repeat::Harmless,
        }
    }

    /// What keeps the turn; nothing when an earlier attempt has, or the conversation or its agent is
    /// deleted.
    async fn writes(&self, state: &AppState, call: &Call) -> Result<Vec<Write>, Error> {
        let (org_id, store) = (&call.execution.org_id, &state.store);
        let OpenSession { agent_id, id, .. } = &self.session;
        let now = Timestamp::from(state.clock.now());
        let found = store.find_session(org_id, agent_id, id).await?;
        let is_persons = call.execution.trigger.kind == TriggerType::Message;
        let mut session = match found {
            Some(found) => found,
            None if is_persons => return Ok(Vec::new()),
            // Nothing would delete a conversation with an agent that is gone.
            None if store.find_agent(org_id, agent_id).await?.is_none() => return Ok(Vec::new()),
            None => return self.begin(call, now),
        };
        // A repeat comes soon after the attempt that it repeats.
        let after = self
            .session
            .last_seq
            .max(session.value.last_seq - MAX_BETWEEN);
        let limit = u32::try_from(MAX_BETWEEN).unwrap_or(u32::MAX);
        let between = store.list_messages(&session.value, after, limit).await?;
        let turn = &call.idempotency_key;
        if between.iter().any(|message| message.turn == *turn) {
            return Ok(Vec::new());
        }
        let mut writes = self.messages(&mut session.value, call, now)?;
        writes.push(sessions::replace(&session)?);
        Ok(writes)
    }

    /// The first turn of a workflow's own conversation.
    fn begin(&self, call: &Call, now: Timestamp) -> Result<Vec<Write>, Error> {
        let (org_id, OpenSession { agent_id, id, .. }) = (&call.execution.org_id, &self.session);
        let mut session = Session::new(id.clone(), org_id, agent_id, None, now);
        let mut writes = self.messages(&mut session, call, now)?;
        writes.push(sessions::create(&session)?);
        writes.push(agents::require(agent_id, org_id)?);
        Ok(writes)
    }

    fn messages(
        &self,
        session: &mut Session,
        call: &Call,
        now: Timestamp,
    ) -> Result<Vec<Write>, Error> {
        session.updated_at = now;
        if let Some(Digest(digest)) = &self.digest {
            let known = session.summary.as_ref().map_or(0, |known| known.last_seq);
            if digest.last_seq > known {
                session.summary = Some(digest.clone());
            }
        }
        let said = self.said.messages(session, call, now);
        session.last_seq += 2;
        let mut writes = Vec::new();
        for message in &said {
            writes.push(sessions::create_message(session, message)?);
        }
        Ok(writes)
    }
}

#[async_trait]
impl Effect for Closing {
    fn request_hash(&self) -> String {
        let Said { prompt, answer, .. } = &self.said;
        fingerprint(&["agent.closing", prompt, answer])
    }

    async fn perform(&self, state: &AppState, call: &Call) -> Result<Outcome, Stop> {
        commit_contended(&state.store, || async move {
            Ok::<_, Error>((self.writes(state, call).await?, ()))
        })
        .await?;
        Ok(Outcome::default())
    }
}
