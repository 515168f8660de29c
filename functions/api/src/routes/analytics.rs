use axum::{
    Json as Body,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap,
    header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE, VARY},
};
use serde::Deserialize;
use shared::{
    http::{Allowed, ApiError, Query, can},
    models::Principal,
    quota::usage::{GroupBy, Sums},
};

use crate::{
    AppState,
    usage_report::{self, DayRange, Measure, Plot, Theme},
};

const CSV: &str = "text/csv; charset=utf-8; header=present";
const SVG: &str = "image/svg+xml; charset=utf-8";

/// Which usage to sum up: UTC days, `YYYY-MM-DD`, both included.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct UsageQuery {
    from: Option<String>,
    to: Option<String>,
    group_by: Option<GroupBy>,
}

/// The same, and how it is drawn.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PlotQuery {
    from: Option<String>,
    to: Option<String>,
    group_by: Option<GroupBy>,
    #[serde(default)]
    measure: Measure,
    #[serde(default)]
    theme: Theme,
}

/// What was asked for, read.
struct Usage {
    range: DayRange,
    group_by: GroupBy,
    sums: Sums,
}

pub(super) async fn get_usage(
    State(state): State<AppState>,
    caller: Allowed<can::ReadUsage>,
    headers: HeaderMap,
    Query(query): Query<UsageQuery>,
) -> Result<Response, ApiError> {
    let usage = query.read(&state, &caller.0).await?;
    let mut response = match prefers_csv(&headers) {
        true => usage.to_csv()?,
        false => {
            let (store, now) = (&state.store, state.now());
            let report = usage_report::report(store, &caller.0, usage.range, &usage.sums, now);
            Body(report.await?).into_response()
        }
    };
    response.headers_mut().append(VARY, ACCEPT.into());
    Ok(response)
}

pub(super) async fn get_usage_csv(
    State(state): State<AppState>,
    caller: Allowed<can::ReadUsage>,
    Query(query): Query<UsageQuery>,
) -> Result<Response, ApiError> {
    query.read(&state, &caller.0).await?.to_csv()
}

pub(super) async fn get_usage_svg(
    State(state): State<AppState>,
    caller: Allowed<can::ReadUsage>,
    Query(query): Query<PlotQuery>,
) -> Result<Response, ApiError> {
    let PlotQuery {
        from,
        to,
        group_by,
        measure,
        theme,
    } = query;
    let query = UsageQuery { from, to, group_by };
    let usage = query.read(&state, &caller.0).await?;
    let plot = Plot { measure, theme };
    let svg = usage_report::to_svg(&usage.sums, usage.range, usage.group_by, plot);
    Ok(([(CONTENT_TYPE, SVG)], svg).into_response())
}

impl UsageQuery {
    async fn read(self, state: &AppState, principal: &Principal) -> Result<Usage, ApiError> {
        let range = DayRange::parse(self.from.as_deref(), self.to.as_deref(), state.now())?;
        let group_by = self.group_by.unwrap_or(GroupBy::Day);
        let sums = usage_report::gather(&state.store, principal, range, group_by).await?;
        Ok(Usage {
            range,
            group_by,
            sums,
        })
    }
}

impl Usage {
    fn to_csv(&self) -> Result<Response, ApiError> {
        let table = usage_report::to_csv(&self.sums, self.group_by)?;
        let disposition = format!("attachment; filename=\"usage-{}.csv\"", self.range);
        let headers = [
            (CONTENT_TYPE, CSV.to_owned()),
            (CONTENT_DISPOSITION, disposition),
        ];
        Ok((headers, table).into_response())
    }
}

/// Whether a table is asked for by name, and JSON is not asked for before it; weights are for who
/// knows more than two forms (<https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1>).
fn prefers_csv(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter();
    let values = values.filter_map(|value| value.to_str().ok());
    let kinds = values.flat_map(|value| value.split(','));
    let kinds = kinds.map(|kind| kind.split(';').next().unwrap_or_default().trim());
    let mut known = kinds.filter(|kind| {
        kind.eq_ignore_ascii_case("text/csv") || kind.eq_ignore_ascii_case("application/json")
    });
    known
        .next()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("text/csv"))
}
