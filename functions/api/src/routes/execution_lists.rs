use std::collections::BTreeSet;

use axum::{Json as Body, extract::State};
use serde::{
    Deserialize,
    de::{IntoDeserializer, value},
};
use shared::{
    http::{Allowed, ApiError, Path, Query, can},
    ids::{ExecutionId, WorkflowId},
    models::{ExecutionStatus, Timestamp, TriggerType},
    store::{Listing, executions::ExecutionFilter, steps},
};

use super::{
    answer::ListResponse,
    executions::response::{ExecutionSummary, StepResponse},
};
use crate::{AppState, executions, page};

/// Which executions to list: accepted from one instant to another, both included.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ListExecutionsQuery {
    workflow_id: Option<WorkflowId>,
    /// Separated by commas.
    status: Option<String>,
    trigger_type: Option<TriggerType>,
    started_after: Option<Timestamp>,
    started_before: Option<Timestamp>,
    limit: Option<u32>,
    page_token: Option<String>,
}

/// Which steps to list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ListStepsQuery {
    limit: Option<u32>,
    page_token: Option<String>,
}

pub(super) async fn list_executions(
    State(state): State<AppState>,
    caller: Allowed<can::ReadExecutions>,
    Query(query): Query<ListExecutionsQuery>,
) -> Result<Body<ListResponse<ExecutionSummary>>, ApiError> {
    let page = page::parse_by_time("executions", query.limit, query.page_token.as_deref())?;
    let filter = query.filter()?;
    let org_id = &caller.0.org_id;
    let listing = state.store.list_executions(org_id, &filter, &page).await?;
    let listing = Listing {
        items: listing.items.into_iter().map(Into::into).collect(),
        next: listing.next,
    };
    Ok(Body(ListResponse::new("executions", listing)))
}

pub(super) async fn list_steps(
    State(state): State<AppState>,
    caller: Allowed<can::ReadExecutions>,
    Path(id): Path<ExecutionId>,
    Query(query): Query<ListStepsQuery>,
) -> Result<Body<ListResponse<StepResponse>>, ApiError> {
    let token = query.page_token.as_deref();
    let page = page::parse_by(steps::is_place, "steps", query.limit, token)?;
    let listing = executions::list_steps(&state.store, &caller.0, &id, &page).await?;
    let listing = Listing {
        items: listing.items.into_iter().map(Into::into).collect(),
        next: listing.next,
    };
    Ok(Body(ListResponse::new("steps", listing)))
}

impl ListExecutionsQuery {
    /// What there is an index for: each further combination would cost one more on every write.
    fn filter(self) -> Result<ExecutionFilter, ApiError> {
        let statuses = self.status.as_deref().map(parse_statuses).transpose()?;
        if self.trigger_type.is_some() && (self.workflow_id.is_some() || statuses.is_some()) {
            return Err(ApiError::invalid_field(
                "triggerType",
                "cannot be combined with `workflowId` or `status`",
            ));
        }
        Ok(ExecutionFilter {
            workflow_id: self.workflow_id,
            statuses: statuses.unwrap_or_default(),
            trigger_type: self.trigger_type,
            from: self.started_after,
            to: self.started_before,
        })
    }
}

fn parse_statuses(text: &str) -> Result<Vec<ExecutionStatus>, ApiError> {
    let mut named = BTreeSet::new();
    let mut statuses = Vec::new();
    for name in text.split(',') {
        let deserializer: value::StrDeserializer<'_, value::Error> = name.into_deserializer();
        let status = ExecutionStatus::deserialize(deserializer)
            .map_err(|error| ApiError::invalid_field("status", error.to_string()))?;
        if named.insert(status.as_str()) {
            statuses.push(status);
        }
    }
    Ok(statuses)
}
