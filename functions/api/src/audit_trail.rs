//! Looking at the audit trail, which is itself recorded.

use futures::{Stream, stream};
use serde_json::{Value, json};
use shared::{
    audit::{Entry, Trail},
    models::{AuditAction, AuditLog, Principal, Timestamp},
    store::{Listing, Page, Store, audit_logs::AuditFilter},
};

use crate::error::Error;

/// Records read at once when the trail is exported.
const EXPORT_PAGE: u32 = 300;

/// One page of the trail, the newest record first; that it is read is recorded before.
pub(crate) async fn list(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    filter: &AuditFilter,
    page: &Page,
    now: Timestamp,
) -> Result<Listing<AuditLog>, Error> {
    record(trail, principal, AuditAction::AuditRead, filter, now).await?;
    let org_id = &principal.org_id;
    Ok(store.list_audit_records(org_id, filter, page).await?)
}

/// All of the trail, page by page, the newest record first; that it is exported is recorded
/// before.
pub(crate) async fn export(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    filter: AuditFilter,
    now: Timestamp,
) -> Result<impl Stream<Item = Result<Vec<AuditLog>, Error>> + Send + use<>, Error> {
    record(trail, principal, AuditAction::AuditExport, &filter, now).await?;
    let (store, org_id) = (store.clone(), principal.org_id.clone());
    let first = Page::first(EXPORT_PAGE);
    Ok(stream::try_unfold(Some(first), move |page| {
        let (store, org_id, filter) = (store.clone(), org_id.clone(), filter.clone());
        async move {
            let Some(page) = page else { return Ok(None) };
            let listing = store.list_audit_records(&org_id, &filter, &page).await?;
            let next = listing.next.map(|after| Page {
                after: Some(after),
                ..page
            });
            Ok(Some((listing.items, next)))
        }
    }))
}

async fn record(
    trail: &Trail,
    principal: &Principal,
    action: AuditAction,
    filter: &AuditFilter,
    now: Timestamp,
) -> Result<(), Error> {
    let (org_id, actor_id) = (&principal.org_id, principal.uid.as_str());
    let entry = Entry::new(org_id, actor_id, action, describe(filter));
    Ok(trail.record(entry, now).await?)
}

/// What was looked for, without naming anybody.
fn describe(filter: &AuditFilter) -> Value {
    json!({
        "byActor": filter.actor_id.is_some(),
        "action": filter.action,
        "from": filter.from,
        "to": filter.to,
    })
}
