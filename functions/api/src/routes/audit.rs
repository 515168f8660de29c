use axum::{Json as Body, extract::State, response::Response, routing::get};
use futures::TryStreamExt;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::{
    auth::Action,
    http::{Allowed, ApiError, Query, can},
    ids::{OrgId, RecordId, Uid},
    models::{AuditAction, AuditLog, Timestamp},
    store::{Listing, audit_logs::AuditFilter},
};

use super::{Route, answer::ListResponse, lines, route};
use crate::{AppState, audit_trail, page};

/// Where it is.
pub(super) const ROUTES: &[Route] = &[
    route(Method::GET, "/audit", Action::ReadAudit, || {
        get(list_audit_records)
    }),
    route(Method::GET, "/audit/export", Action::ExportAudit, || {
        get(export_audit_records)
    }),
];

/// Which part of the trail to list: what was done from one instant to another, both included.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ListAuditQuery {
    actor_id: Option<String>,
    action: Option<AuditAction>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    limit: Option<u32>,
    page_token: Option<String>,
}

/// Which part of the trail to export.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ExportAuditQuery {
    actor_id: Option<String>,
    action: Option<AuditAction>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

/// One record, with its place in the chain.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuditRecordResponse {
    id: RecordId,
    org_id: OrgId,
    seq: i64,
    actor_id: String,
    subject_id: Option<String>,
    action: AuditAction,
    metadata: Value,
    timestamp: Timestamp,
    key_version: String,
    prev_mac: String,
    mac: String,
}

pub(super) async fn list_audit_records(
    State(state): State<AppState>,
    caller: Allowed<can::ReadAudit>,
    Query(query): Query<ListAuditQuery>,
) -> Result<Body<ListResponse<AuditRecordResponse>>, ApiError> {
    let page = page::parse_by_time("audit", query.limit, query.page_token.as_deref())?;
    let filter = filter(query.actor_id, query.action, query.from, query.to)?;
    let (store, trail) = (&state.store, &state.trail);
    let listing = audit_trail::list(store, trail, &caller.0, &filter, &page, state.now()).await?;
    let records = listing.items.into_iter().map(AuditRecordResponse::from);
    let listing = Listing {
        items: records.collect(),
        next: listing.next,
    };
    Ok(Body(ListResponse::new("audit", listing)))
}

pub(super) async fn export_audit_records(
    State(state): State<AppState>,
    caller: Allowed<can::ExportAudit>,
    Query(query): Query<ExportAuditQuery>,
) -> Result<Response, ApiError> {
    let filter = filter(query.actor_id, query.action, query.from, query.to)?;
    let (store, trail) = (&state.store, &state.trail);
    let records = audit_trail::export(store, trail, &caller.0, filter, state.now()).await?;
    let records = records.map_ok(|page| {
        let page = page.into_iter().map(AuditRecordResponse::from);
        page.collect::<Vec<_>>()
    });
    Ok(lines::respond("audit.jsonl", records))
}

/// An actor is a uid, `system:<function>` or `erased:<64 hex>`.
fn filter(
    actor_id: Option<String>,
    action: Option<AuditAction>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Result<AuditFilter, ApiError> {
    if actor_id
        .as_ref()
        .is_some_and(|actor| Uid::parse(actor).is_err())
    {
        return Err(ApiError::invalid_field("actorId", "must be an actor's id"));
    }
    Ok(AuditFilter {
        actor_id,
        action,
        from,
        to,
    })
}

impl From<AuditLog> for AuditRecordResponse {
    fn from(record: AuditLog) -> Self {
        Self {
            id: record.id,
            org_id: record.org_id,
            seq: record.seq,
            actor_id: record.actor_id,
            subject_id: record.subject_id,
            action: record.action,
            metadata: record.metadata.0,
            timestamp: record.timestamp,
            key_version: record.key_version,
            prev_mac: record.prev_mac,
            mac: record.mac,
        }
    }
}
