use axum::response::Response;
use http::{HeaderMap, HeaderValue, header::CACHE_CONTROL};
use serde::Serialize;
use shared::{
    graph::{NodeSchema, catalogue},
    http::{Allowed, ApiError, can},
};

use super::etag;

/// The catalogue changes with a release alone: a canvas may draw its forms from what it has, for
/// five minutes.
const FRESH: HeaderValue = HeaderValue::from_static("private, max-age=300");

/// Every kind of node, with what its `data` has to be.
#[derive(Serialize)]
struct NodesResponse {
    nodes: Vec<NodeSchema>,
}

pub(super) async fn list_nodes(
    _caller: Allowed<can::ReadWorkflows>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let nodes = catalogue();
    let mut response = etag::respond(&headers, &NodesResponse { nodes })?;
    response.headers_mut().insert(CACHE_CONTROL, FRESH);
    Ok(response)
}
