//! `executions`, their journal and their log.

use super::{
    DocumentPath, Error, Listing, Page, Store, Versioned, Write, decode,
    document_db::{Comparison, Order, Precondition, Query},
    position,
};
use crate::{
    ids::{ExecutionId, OrgId, WorkflowId},
    models::{Execution, LogLine, Step, SystemPrincipal, Timestamp, WorkflowVersion},
};

/// Steps that one execution may have at most (`DESIGN.md` section 4), with room for loops.
const MAX_STEPS: u32 = 2_000;

/// Which executions to list.
#[derive(Clone, Debug, Default)]
pub struct ExecutionFilter {
    /// Only those of this workflow.
    pub workflow_id: Option<WorkflowId>,
}

impl Store {
    /// The organization's execution; another organization's does not exist.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_execution(
        &self,
        org_id: &OrgId,
        id: &ExecutionId,
    ) -> Result<Option<Versioned<Execution>>, Error> {
        let execution: Option<Versioned<Execution>> = self.load(&path(id)).await?;
        Ok(execution.filter(|execution| execution.value.org_id == *org_id))
    }

    /// The organization's executions, the newest first.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_executions(
        &self,
        org_id: &OrgId,
        filter: &ExecutionFilter,
        page: &Page,
    ) -> Result<Listing<Execution>, Error> {
        let mut query = Query::new("executions", page.limit.saturating_add(1))
            .filter("orgId", Comparison::Equal, org_id.as_str())
            .order(Order::Descending("startedAt"));
        if let Some(workflow_id) = &filter.workflow_id {
            query = query.filter("workflowId", Comparison::Equal, workflow_id.as_str());
        }
        query.after = page.after.as_deref().and_then(position::parse);
        let documents = self.db.query(&query).await?;
        let mut items: Vec<Execution> = documents.iter().map(decode).collect::<Result<_, _>>()?;
        let more = items.len() > page.limit as usize;
        items.truncate(page.limit as usize);
        let last = items.last().filter(|_| more);
        let next =
            last.map(|execution| position::format(execution.started_at, execution.id.as_str()));
        Ok(Listing { items, next })
    }

    /// Executions of all organizations that should go on by now: due waits, and those whose
    /// worker has lost its lease.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_due_executions(
        &self,
        _caller: &SystemPrincipal,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Execution>, Error> {
        let due = |status: &'static str, field: &'static str| {
            Query::new("executions", limit)
                .filter("status", Comparison::Equal, status)
                .filter(field, Comparison::LessOrEqual, now)
                .order(Order::Ascending(field))
        };
        let queries = [
            due("waiting", "resumeAt"),
            due("running", "lease.until"),
            due("queued", "lease.until"),
        ];
        let mut executions = Vec::new();
        for query in queries {
            let found: Vec<Versioned<Execution>> = self.list(&query).await?;
            executions.extend(found.into_iter().map(|execution| execution.value));
        }
        executions.truncate(limit as usize);
        Ok(executions)
    }

    /// The whole journal of the organization's execution.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_steps(&self, org_id: &OrgId, id: &ExecutionId) -> Result<Vec<Step>, Error> {
        let query = Query::new(path(id).collection("steps"), MAX_STEPS).filter(
            "orgId",
            Comparison::Equal,
            org_id.as_str(),
        );
        let steps: Vec<Versioned<Step>> = self.list(&query).await?;
        Ok(steps.into_iter().map(|step| step.value).collect())
    }

    /// Log lines of the organization's execution after line `after`, in order.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_log_lines(
        &self,
        org_id: &OrgId,
        id: &ExecutionId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<LogLine>, Error> {
        let mut query = Query::new(path(id).collection("logs"), limit).filter(
            "orgId",
            Comparison::Equal,
            org_id.as_str(),
        );
        query.after = (after > 0).then(|| (None, log_id(after)));
        let lines: Vec<Versioned<LogLine>> = self.list(&query).await?;
        Ok(lines.into_iter().map(|line| line.value).collect())
    }
}

/// Creates the execution together with the version it is pinned to.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(execution: &Execution, version: &WorkflowVersion) -> Result<Vec<Write>, Error> {
    let execution = super::create(path(&execution.id), execution)?;
    Ok(vec![execution, super::workflows::keep_version(version)?])
}

/// Replaces the execution, if nobody changed it meanwhile.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn replace(execution: &Versioned<Execution>) -> Result<Write, Error> {
    super::replace(path(&execution.value.id), execution)
}

/// Deletes the execution's document, if nobody changed it meanwhile.
#[must_use]
pub fn delete(execution: &Versioned<Execution>) -> Write {
    super::delete(
        path(&execution.value.id),
        Precondition::Version(execution.version),
    )
}

/// Writes a step of the journal; the commit carries the execution's fence beside it.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set_step(id: &ExecutionId, step: &Step) -> Result<Write, Error> {
    super::write(step_path(id, step), step, Precondition::None)
}

/// Deletes a step of the journal.
#[must_use]
pub fn delete_step(id: &ExecutionId, step: &Step) -> Write {
    super::delete(step_path(id, step), Precondition::None)
}

/// Appends a line to the log; a line is written once.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create_log_line(id: &ExecutionId, line: &LogLine) -> Result<Write, Error> {
    super::create(path(id).child("logs", &log_id(line.seq)), line)
}

/// Deletes a line of the log.
#[must_use]
pub fn delete_log_line(id: &ExecutionId, seq: i64) -> Write {
    super::delete(path(id).child("logs", &log_id(seq)), Precondition::None)
}

fn path(id: &ExecutionId) -> DocumentPath {
    DocumentPath::new("executions", id.as_str())
}

fn step_path(id: &ExecutionId, step: &Step) -> DocumentPath {
    path(id).child("steps", &format!("{}#{}", step.node_id, step.iteration))
}

/// Zero-padded, so that ids sort as numbers.
fn log_id(seq: i64) -> String {
    format!("{seq:010}")
}
