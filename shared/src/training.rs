//! What models learn from: conversations that their owners have approved.

use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use crate::{
    models::{Agent, ChatMessage, ChatRole, Session},
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
const MAX_MESSAGES: u32 = 200;

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
    /// not fit into `max_bytes` any more is left out, as is one in which the agent says nothing.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn of(store: &Store, agent: &Agent, max_bytes: usize) -> Result<Self, store::Error> {
        let (org_id, id) = (&agent.org_id, &agent.id);
        let sessions = store
            .list_approved_sessions(org_id, id, MAX_EXAMPLES)
            .await?;
        let examples = stream::iter(sessions).map(|session| example(store, agent, session));
        let mut examples = examples.buffered(MAX_PARALLEL);
        let mut dataset = Self::default();
        while let Some(example) = examples.try_next().await? {
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
    agent: &Agent,
    session: Session,
) -> Result<Option<String>, store::Error> {
    let Some(approved_at) = session.approved_for_training else {
        return Ok(None);
    };
    let mut messages = store.list_messages(&session, 0, MAX_MESSAGES).await?;
    messages.retain(|message| message.created_at <= approved_at);
    Ok(line(&agent.system_prompt, &messages))
}

/// One line; none without an answer to learn from, which is what it ends with.
fn line(system_prompt: &str, messages: &[ChatMessage]) -> Option<String> {
    let is_answer = |message: &ChatMessage| message.role == ChatRole::Assistant;
    let last = messages.iter().rposition(is_answer)?;
    let told = (!system_prompt.is_empty()).then_some(("system", system_prompt));
    let said = messages.iter().take(last + 1).map(|message| {
        let role = match message.role {
            ChatRole::User => "user",
            ChatRole::Assistant => "assistant",
        };
        (role, message.content.as_str())
    });
    let messages = told.into_iter().chain(said);
    let messages = messages.map(|(role, content)| Line {
        role,
        content: redact(content),
    });
    let example = Example {
        messages: messages.collect(),
    };
    serde_json::to_string(&example).ok()
}
