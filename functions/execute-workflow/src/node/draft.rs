//! What a model is saying, for those who watch the run.

use std::time::Duration;

use jiff::Timestamp;
use shared::{models::Draft, redaction::redact, store::drafts};

use super::Call;
use crate::AppState;

/// A draft is kept this often at most.
const PAUSE: Duration = Duration::from_millis(250);

/// A longer answer is not shown on: a document ends at 1 MiB.
const MAX_BYTES: usize = 200_000;

/// An answer under way. What cannot be shown costs the answer nothing.
pub(super) struct Drafting<'a> {
    state: &'a AppState,
    call: &'a Call,
    text: String,
    kept_at: Option<Timestamp>,
}

impl<'a> Drafting<'a> {
    pub(super) fn of(state: &'a AppState, call: &'a Call) -> Self {
        Self {
            state,
            call,
            text: String::new(),
            kept_at: None,
        }
    }

    /// Adds a piece, and shows what has come so far if it is time. The last word is held back: it may
    /// be the beginning of a secret.
    pub(super) async fn add(&mut self, piece: &str) {
        self.text.push_str(piece);
        let now = self.state.clock.now();
        let is_time = self.kept_at.is_none_or(|kept_at| kept_at + PAUSE <= now);
        if is_time && self.text.len() <= MAX_BYTES {
            self.kept_at = Some(now);
            self.keep().await;
        }
    }

    /// The answer is whole: the journal will have it. An earlier attempt, which was cut off, may have
    /// left a draft when this one has none.
    pub(super) async fn end(self) {
        let Call {
            execution,
            node_id,
            iteration,
            ..
        } = self.call;
        let delete = drafts::delete(&execution.id, node_id, iteration);
        if let Err(error) = self.state.store.commit(vec![delete]).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(execution.id = %execution.id, error, "a draft stays");
        }
    }

    async fn keep(&self) {
        let execution = &self.call.execution;
        let draft = Draft {
            node_id: self.call.node_id.clone(),
            iteration: self.call.iteration.clone(),
            text: redact(whole_words(&self.text)),
            org_id: execution.org_id.clone(),
        };
        let kept = async {
            let write = drafts::set(&execution.id, &draft)?;
            self.state.store.commit(vec![write]).await
        };
        if let Err(error) = kept.await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(execution.id = %execution.id, error, "a draft is not shown");
        }
    }
}

/// The text up to its last word.
fn whole_words(text: &str) -> &str {
    text.rfind(char::is_whitespace)
        .map_or("", |end| &text[..end])
}
