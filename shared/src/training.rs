//! What models learn from: conversations that their owners have approved.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use crate::{
    models::{Agent, ChatMessage, ChatRole, Session, Timestamp},
    prompt,
    redaction::redact,
    store::{self, Store},
};

/// Examples that a model is tuned with at least
/// (<https://platform.openai.com/docs/guides/supervised-fine-tuning>).
pub const MIN_EXAMPLES: i64 = 10;

/// The most bytes of a data set; all of it is held at once.
pub const MAX_BYTES: usize = 4_000_000;

/// Conversations of a data set: those that were approved first.
const MAX_EXAMPLES: u32 = 500;

/// Messages of a conversation, from its beginning.
const MAX_MESSAGES: usize = 200;

/// Messages that are read at once: one may have 128 kB.
const MESSAGES_A_PAGE: u32 = 20;

/// Conversations that are read at the same time.
const MAX_PARALLEL: usize = 8;

/// Conversations as a model learns from them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dataset {
    /// OpenAI's format for chat, one example a line
    /// (<https://platform.openai.com/docs/guides/supervised-fine-tuning>).
    pub lines: String,
    /// How many examples there are.
    pub examples: i64,
}

impl Dataset {
    /// The approved conversations with an agent, each up to when it was approved and after what the
    /// agent is told before every conversation. What looks like a secret is covered. One that does
    /// not fit into `max_bytes` any more is left out, as is one in which the agent says nothing, and
    /// one whose owner is no member any more. Turns that have failed are nothing to learn from.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn of(store: &Store, agent: &Agent, max_bytes: usize) -> Result<Self, store::Error> {
        let (org_id, id) = (&agent.org_id, &agent.id);
        let sessions = store
            .list_approved_sessions(org_id, id, MAX_EXAMPLES)
            .await?;
        let told = &prompt::compile(agent);
        let examples = stream::iter(sessions);
        let examples = examples.map(|session| example(store, told, session, max_bytes));
        let mut examples = examples.buffered(MAX_PARALLEL);
        let mut dataset = Self::default();
        while dataset.lines.len() + told.len() < max_bytes
            && let Some(example) = examples.try_next().await?
        {
            dataset.add(example, max_bytes);
        }
        Ok(dataset)
    }

    fn add(&mut self, example: Option<String>, max_bytes: usize) {
        let Some(example) = example else {
            return;
        };
        if self.lines.len() + example.len() < max_bytes {
            self.lines.push_str(&example);
            self.lines.push('\n');
            self.examples += 1;
        }
    }
}

#[derive(Serialize)]
struct Example<'a> {
    messages: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    role: &'a str,
    content: String,
}

async fn example(
    store: &Store,
    told: &str,
    session: Session,
    max_bytes: usize,
) -> Result<Option<String>, store::Error> {
    let (Some(approved_at), Some(uid)) = (session.approved_for_training, &session.uid) else {
        return Ok(None);
    };
    let member = store.find_member(&session.org_id, uid).await?;
    if member.is_none_or(|member| member.value.disabled) {
        return Ok(None);
    }
    let messages = approved_messages(store, &session, approved_at, max_bytes).await?;
    Ok(messages.and_then(|messages| line(told, messages)))
}

/// What was said until the approval; none when that does not fit.
async fn approved_messages(
    store: &Store,
    session: &Session,
    approved_at: Timestamp,
    max_bytes: usize,
) -> Result<Option<Vec<ChatMessage>>, store::Error> {
    let (mut messages, mut bytes) = (Vec::<ChatMessage>::new(), 0);
    while messages.len() < MAX_MESSAGES {
        let after = messages.last().map_or(0, |last| last.seq);
        let mut page = store.list_messages(session, after, MESSAGES_A_PAGE).await?;
        page.retain(|message| message.created_at <= approved_at);
        bytes += page.iter().map(|one| one.content.len()).sum::<usize>();
        if bytes > max_bytes {
            return Ok(None);
        }
        let is_last = page.len() < MESSAGES_A_PAGE as usize;
        messages.extend(page);
        if is_last {
            break;
        }
    }
    Ok(Some(messages))
}

/// One line; none without an answer to learn from, which is what it ends with.
fn line(told: &str, mut messages: Vec<ChatMessage>) -> Option<String> {
    let failed = messages.iter().filter(|message| message.failure.is_some());
    let failed: BTreeSet<_> = failed.map(|message| message.turn.clone()).collect();
    messages.retain(|message| !failed.contains(&message.turn));
    let is_answer = |message: &ChatMessage| message.role == ChatRole::Assistant;
    let last = messages.iter().rposition(is_answer)?;
    let said = messages.iter().take(last + 1).map(|message| {
        let role = match message.role {
            ChatRole::User => "user",
            ChatRole::Assistant => "assistant",
        };
        (role, message.content.as_str())
    });
    let messages = [("system", told)].into_iter().chain(said);
    let messages = messages.map(|(role, content)| Line {
        role,
        content: redact(content),
    });
    let example = Example {
        messages: messages.collect(),
    };
    serde_json::to_string(&example).ok()
}
