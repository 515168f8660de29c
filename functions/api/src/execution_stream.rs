//! A run as it goes on, for those who watch it.

use std::{collections::HashMap, future::Future};

use futures::{Stream, StreamExt, TryStreamExt, stream};
use serde::Serialize;
use shared::{
    ids::ExecutionId,
    models::{Draft, Execution, ExecutionStatus, JsonText, LogLine, Principal, Step, TriggerType},
    store::Store,
};

use crate::{
    error::Error,
    executions::{self, Run},
    pace::Pace,
};

/// Log lines that are read at once.
const LINES: u32 = 200;
/// Answers under way that are read at once.
const DRAFTS: u32 = 50;

/// What is seen of a run.
#[derive(Debug)]
pub(crate) enum Sight {
    /// It has come further than what was seen of it, or is seen for the first time.
    Status(Box<Run>),
    /// The next line of its log.
    Line(LogLine),
    /// More of an answer that a model is giving.
    Draft(Piece),
    /// What an agent has answered to a message.
    Answer(JsonText),
    /// It has ended, and this was its whole log.
    End(ExecutionStatus),
}

/// A piece of an answer that a model is giving. It may be given again from the beginning: what was
/// seen from `start` on is then to be forgotten.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Piece {
    node_id: String,
    iteration: String,
    /// Characters of the answer before this piece.
    start: usize,
    text: String,
}

/// The caller's execution from the line after `after` on. The stream ends with [`Sight::End`], or
/// without it: after a while, when the execution is deleted, and when `may_watch` says so.
pub(crate) fn watch<F, A>(
    store: Store,
    principal: Principal,
    id: ExecutionId,
    after: i64,
    may_watch: F,
) -> impl Stream<Item = Result<Sight, Error>> + Send
where
    F: Fn() -> A + Send + Sync,
    A: Future<Output = bool> + Send,
{
    let watch = Watch {
        store,
        principal,
        id,
        after,
        status: None,
        drafts: HashMap::new(),
        is_over: false,
        may_watch,
        pace: Pace::new(),
    };
    let looks = stream::try_unfold(watch, Watch::next);
    looks
        .map_ok(|sights| stream::iter(sights).map(Ok))
        .try_flatten()
}

struct Watch<F> {
    store: Store,
    principal: Principal,
    id: ExecutionId,
    /// The last line that was seen.
    after: i64,
    /// The status that was seen.
    status: Option<ExecutionStatus>,
    /// By node and iteration, how much of an answer was seen.
    drafts: HashMap<String, String>,
    is_over: bool,
    may_watch: F,
    pace: Pace,
}

impl<F, A> Watch<F>
where
    F: Fn() -> A + Send + Sync,
    A: Future<Output = bool> + Send,
{
    async fn next(mut self) -> Result<Option<(Vec<Sight>, Self)>, Error> {
        if self.is_over || !self.pace.next(&self.may_watch).await {
            return Ok(None);
        }
        match self.look().await {
            Ok(sights) => Ok(Some((sights, self))),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The status is read first: the last lines are committed together with it.
    async fn look(&mut self) -> Result<Vec<Sight>, Error> {
        let run = executions::find(&self.store, &self.principal, &self.id).await?;
        let lines = self.read_lines(&run).await?;
        let drafts = self.read_drafts(&run).await?;
        let (status, answer) = (run.status(), answer(&run));
        let is_all = lines.len() < LINES as usize;
        let mut sights = Vec::new();
        if self.status.replace(status) != Some(status) {
            sights.push(Sight::Status(Box::new(run)));
        }
        if let Some(last) = lines.last() {
            self.after = last.seq;
        }
        sights.extend(lines.into_iter().map(Sight::Line));
        sights.extend(drafts.into_iter().map(Sight::Draft));
        if status.is_terminal() && is_all {
            sights.extend(answer.map(Sight::Answer));
            sights.push(Sight::End(status));
            self.is_over = true;
        }
        self.pace.plan(!sights.is_empty(), is_all);
        Ok(sights)
    }

    async fn read_lines(&self, run: &Run) -> Result<Vec<LogLine>, Error> {
        let Run::Begun(execution) = run else {
            return Ok(Vec::new());
        };
        let (org_id, id) = (&execution.value.org_id, &execution.value.id);
        let lines = self.store.list_log_lines(org_id, id, self.after, LINES);
        Ok(lines.await?)
    }

    /// What models have said since the last look.
    async fn read_drafts(&mut self, run: &Run) -> Result<Vec<Piece>, Error> {
        let Run::Begun(execution) = run else {
            return Ok(Vec::new());
        };
        let Execution {
            org_id, id, status, ..
        } = &execution.value;
        if *status != ExecutionStatus::Running {
            return Ok(Vec::new());
        }
        let drafts = self.store.list_drafts(org_id, id, DRAFTS).await?;
        Ok(drafts
            .into_iter()
            .filter_map(|draft| self.see(draft))
            .collect())
    }

    fn see(&mut self, draft: Draft) -> Option<Piece> {
        let Draft {
            node_id,
            iteration,
            text,
            ..
        } = draft;
        let seen = self.drafts.entry(Step::name_of(&node_id, &iteration));
        let seen = seen.or_default();
        let (start, new) = match text.strip_prefix(seen.as_str()) {
            Some(new) => (seen.chars().count(), new.to_owned()),
            None => (0, text.clone()),
        };
        *seen = text;
        (!new.is_empty()).then_some(Piece {
            node_id,
            iteration,
            start,
            text: new,
        })
    }
}

/// What an agent has answered, if it was a message that began the run.
fn answer(run: &Run) -> Option<JsonText> {
    let Run::Begun(execution) = run else {
        return None;
    };
    let is_message = execution.value.trigger.kind == TriggerType::Message;
    execution.value.output.clone().filter(|_| is_message)
}
