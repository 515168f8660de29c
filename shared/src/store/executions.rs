//! `executions`, their journal and their log.

use serde::Serialize;

use super::{
    DocumentPath, Error, Listing, Page, Store, Versioned, Write, decode,
    document_db::{
        Comparison, Document, Fields, Operation, Order, Precondition, Query, ValueType,
        value as wire_value,
    },
    position,
};
use crate::{
    ids::{ExecutionId, OrgId, WorkflowId},
    models::{
        Budget, Execution, ExecutionError, ExecutionStatus, JsonText, Lease, LogLine, Step,
        StepPage, SystemPrincipal, Timestamp, TriggerType,
    },
};

/// Documents of a journal that are read at once.
const STEPS_PAGE: u32 = 1_000;
/// Documents of a journal that are deleted at once.
const DELETE_BATCH: usize = 400;

/// Which executions to list. A trigger type has no index together with a workflow or a status.
#[derive(Clone, Debug, Default)]
pub struct ExecutionFilter {
    /// Only those of this workflow.
    pub workflow_id: Option<WorkflowId>,
    /// Only those that are as far as one of these; all when there is none.
    pub statuses: Vec<ExecutionStatus>,
    /// Only those that something of this type has started.
    pub trigger_type: Option<TriggerType>,
    /// Only those from this instant on.
    pub from: Option<Timestamp>,
    /// Only those up to this instant.
    pub to: Option<Timestamp>,
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
        let mut query = filter.query(org_id, page.limit.saturating_add(1));
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

    /// Executions of all organizations that should go on by now: due waits, and those whose worker
    /// has lost its lease or never came. Each kind has a third of `limit`, rounded up, so that none
    /// waits for the others to become fewer.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_due_executions(
        &self,
        _caller: &SystemPrincipal,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Execution>, Error> {
        let mut executions = Vec::new();
        for (status, field) in [
            ("waiting", "resumeAt"),
            ("running", "lease.until"),
            ("queued", "lease.until"),
        ] {
            let query = Query::new("executions", limit.div_ceil(3))
                .filter("status", Comparison::Equal, status)
                .filter(field, Comparison::LessOrEqual, now)
                .order(Order::Ascending(field));
            executions.extend(self.list_readable(&query).await?);
        }
        Ok(executions)
    }

    /// The workflow's executions that have not begun, the oldest first.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_queued_executions(
        &self,
        org_id: &OrgId,
        workflow_id: &WorkflowId,
        limit: u32,
    ) -> Result<Vec<Execution>, Error> {
        let query = Query::new("executions", limit)
            .filter("orgId", Comparison::Equal, org_id.as_str())
            .filter("workflowId", Comparison::Equal, workflow_id.as_str())
            .filter("status", Comparison::Equal, "queued")
            .order(Order::Ascending("startedAt"));
        let executions: Vec<Versioned<Execution>> = self.list(&query).await?;
        let executions = executions.into_iter();
        Ok(executions.map(|execution| execution.value).collect())
    }

    /// Executions that nodes of the organization's execution have started, by id.
    ///
    /// # Errors
    /// Returns the database's error, also for one that cannot be read.
    pub async fn list_child_executions(
        &self,
        org_id: &OrgId,
        parent: &ExecutionId,
        page: &Page,
    ) -> Result<Listing<Versioned<Execution>>, Error> {
        let query = Query::new("executions", page.limit)
            .filter("orgId", Comparison::Equal, org_id.as_str())
            .filter("parent.executionId", Comparison::Equal, parent.as_str());
        self.strict_page_by_id(query, page).await
    }

    /// The whole journal of the organization's execution.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_steps(&self, org_id: &OrgId, id: &ExecutionId) -> Result<Vec<Step>, Error> {
        let mut steps = Vec::new();
        let mut after = None;
        loop {
            let documents = self.journal_page(org_id, id, after.as_ref()).await?;
            for document in &documents {
                if document.fields.contains_key("page") {
                    steps.extend(decode::<StepPage>(document)?.page);
                } else {
                    steps.push(decode(document)?);
                }
            }
            match documents.last() {
                Some(last) if documents.len() == STEPS_PAGE as usize => {
                    after = Some(last.path.clone());
                }
                _ => return Ok(steps),
            }
        }
    }

    /// The writes that delete a part of the journal of the organization's execution; none when all
    /// of it is gone.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_journal_deletions(
        &self,
        org_id: &OrgId,
        id: &ExecutionId,
    ) -> Result<Vec<Write>, Error> {
        let documents = self.journal_page(org_id, id, None).await?.into_iter();
        let documents = documents.take(DELETE_BATCH);
        let delete = |document: Document| super::delete(document.path, Precondition::None);
        Ok(documents.map(delete).collect())
    }

    async fn journal_page(
        &self,
        org_id: &OrgId,
        id: &ExecutionId,
        after: Option<&DocumentPath>,
    ) -> Result<Vec<Document>, Error> {
        let mut query = Query::new(path(id).collection("steps"), STEPS_PAGE).filter(
            "orgId",
            Comparison::Equal,
            org_id.as_str(),
        );
        query.after = after.map(|path| (None, path.id().to_owned()));
        self.db.query(&query).await
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

impl ExecutionFilter {
    fn query(&self, org_id: &OrgId, limit: u32) -> Query {
        let mut query = Query::new("executions", limit)
            .filter("orgId", Comparison::Equal, org_id.as_str())
            .order(Order::Descending("startedAt"));
        if let Some(workflow_id) = &self.workflow_id {
            query = query.filter("workflowId", Comparison::Equal, workflow_id.as_str());
        }
        if !self.statuses.is_empty() {
            let statuses = self.statuses.iter().map(|status| status.as_str());
            query = query.filter("status", Comparison::In, statuses.collect::<Vec<_>>());
        }
        if let Some(trigger_type) = self.trigger_type {
            query = query.filter("trigger.type", Comparison::Equal, trigger_type.as_str());
        }
        if let Some(from) = self.from {
            query = query.filter("startedAt", Comparison::GreaterOrEqual, from);
        }
        if let Some(to) = self.to {
            query = query.filter("startedAt", Comparison::LessOrEqual, to);
        }
        query
    }
}

/// Creates the execution.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(execution: &Execution) -> Result<Write, Error> {
    super::create(path(&execution.id), execution)
}

/// Writes what a worker changes of its execution, if nobody else changed it meanwhile. The input,
/// which may be large, is not sent again.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn save_progress(execution: &Versioned<Execution>) -> Result<Write, Error> {
    let value = &execution.value;
    let progress = Progress {
        status: value.status,
        finished_at: value.finished_at,
        output: value.output.as_ref(),
        error: value.error.as_ref(),
        budget: &value.budget,
        lease: &value.lease,
        attempts: value.attempts,
        log_seq: value.log_seq,
        resume_at: value.resume_at,
        waiting_since: value.waiting_since,
        has_slot: value.has_slot,
        has_adopted: value.has_adopted,
    };
    let path = path(&value.id);
    let mut fields = super::encode(&path, &progress)?;
    for field in Progress::OPTIONAL {
        let null = || wire_value(ValueType::NullValue(0));
        fields.entry(field.to_owned()).or_insert_with(null);
    }
    Ok(Write {
        path,
        operation: Operation::Merge {
            fields,
            increments: Vec::new(),
        },
        precondition: Precondition::Version(execution.version),
    })
}

/// Takes the execution from its worker, whose next write is refused. Whoever else writes it
/// meanwhile cannot keep this from happening.
#[must_use]
pub fn revoke_lease(id: &ExecutionId) -> Write {
    Write {
        path: path(id),
        operation: Operation::Merge {
            fields: Fields::new(),
            increments: vec![("lease.fence", 1)],
        },
        precondition: Precondition::Exists,
    }
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

/// Writes steps that have all ended as one document; `number` counts those that the holder of this
/// fence has written.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create_step_page(
    execution: &Execution,
    number: usize,
    page: Vec<Step>,
) -> Result<Write, Error> {
    let name = format!("@{}-{number}", execution.lease.fence);
    let org_id = execution.org_id.clone();
    let path = path(&execution.id).child("steps", &name);
    super::create(path, &StepPage { org_id, page })
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Progress<'a> {
    status: ExecutionStatus,
    finished_at: Option<Timestamp>,
    output: Option<&'a JsonText>,
    error: Option<&'a ExecutionError>,
    budget: &'a Budget,
    lease: &'a Lease,
    attempts: i64,
    log_seq: i64,
    resume_at: Option<Timestamp>,
    waiting_since: Option<Timestamp>,
    has_slot: bool,
    has_adopted: bool,
}

impl Progress<'_> {
    /// Written as `null` when absent, so that they replace earlier values.
    const OPTIONAL: [&'static str; 5] =
        ["finishedAt", "output", "error", "resumeAt", "waitingSince"];
}

pub(super) fn path(id: &ExecutionId) -> DocumentPath {
    DocumentPath::new("executions", id.as_str())
}

fn step_path(id: &ExecutionId, step: &Step) -> DocumentPath {
    path(id).child("steps", &Step::name_of(&step.node_id, &step.iteration))
}

/// Zero-padded, so that ids sort as numbers.
fn log_id(seq: i64) -> String {
    format!("{seq:010}")
}
