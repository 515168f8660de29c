use axum::{Json as Body, extract::State};
use serde::Deserialize;
use shared::{
    http::{Allowed, ApiError, Query, can},
    quota::usage::GroupBy,
};

use crate::{
    AppState,
    usage_report::{self, DayRange, UsageReport},
};

/// Which usage to sum up: UTC days, `YYYY-MM-DD`, both included.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct UsageQuery {
    from: Option<String>,
    to: Option<String>,
    group_by: Option<GroupBy>,
}

pub(super) async fn get_usage(
    State(state): State<AppState>,
    caller: Allowed<can::ReadUsage>,
    Query(query): Query<UsageQuery>,
) -> Result<Body<UsageReport>, ApiError> {
    let now = state.now();
    let range = DayRange::parse(query.from.as_deref(), query.to.as_deref(), now)?;
    let group_by = query.group_by.unwrap_or(GroupBy::Day);
    let report = usage_report::report(&state.store, &caller.0, range, group_by, now).await?;
    Ok(Body(report))
}
