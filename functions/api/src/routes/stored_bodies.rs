use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::Deserialize;
use shared::{
    http::{Allowed, ApiError, Path, Query, can},
    ids::ExecutionId,
};

use crate::{AppState, stored_bodies};

/// Types that are told as they are, without parameters: in none of them anything runs. Whatever
/// else a server has sent, such as a page, must never be one of this origin.
const SAFE_TYPES: [&str; 7] = [
    "text/plain",
    "application/json",
    "application/pdf",
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
];
const OCTET_STREAM: &str = "application/octet-stream";

/// Which of the node's iterations.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredBodyQuery {
    #[serde(default = "outside_of_loops")]
    iteration: String,
}

/// The security headers of every answer keep browsers from guessing another type.
pub(super) async fn get_stored_body(
    State(state): State<AppState>,
    caller: Allowed<can::ReadExecutions>,
    Path((id, node_id)): Path<(ExecutionId, String)>,
    Query(query): Query<StoredBodyQuery>,
) -> Result<Response, ApiError> {
    let (store, bucket) = (&state.store, state.artifacts.as_deref());
    let place = (node_id.as_str(), query.iteration.as_str());
    let (body, content) = stored_bodies::read(store, bucket, &caller.0, &id, place).await?;
    let headers = [
        (CONTENT_TYPE, shown_type(&body.content_type)),
        (CONTENT_DISPOSITION, "attachment"),
    ];
    Ok((headers, content).into_response())
}

fn shown_type(content_type: &str) -> &'static str {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let mut safe = SAFE_TYPES.into_iter();
    let known = safe.find(|safe| essence.eq_ignore_ascii_case(safe));
    known.unwrap_or(OCTET_STREAM)
}

fn outside_of_loops() -> String {
    "0".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_types_in_which_nothing_runs_are_told() {
        for (stored, shown) in [
            ("text/plain", "text/plain"),
            ("Text/Plain ; charset=utf-8", "text/plain"),
            ("application/json", "application/json"),
            ("image/webp", "image/webp"),
            ("text/html", OCTET_STREAM),
            ("text/html;text/plain", OCTET_STREAM),
            ("text/plain, text/html", OCTET_STREAM),
            ("text/plain2", OCTET_STREAM),
            ("image/svg+xml", OCTET_STREAM),
            ("application/xhtml+xml", OCTET_STREAM),
            ("text/javascript", OCTET_STREAM),
            ("", OCTET_STREAM),
        ] {
            assert_eq!(shown_type(stored), shown, "{stored}");
        }
    }
}
