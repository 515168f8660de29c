use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    audit::Trail,
    models::{AuditAction, Principal, Timestamp},
    store::Store,
    stripe,
};

use super::{
    Billing,
    checkout::{PageResponse, key_at_stripe},
    customer::is_deleted,
    entry,
};
use crate::{
    error::{Dependency, Error, Refusal},
    idempotency::{Done, Once},
    organization,
};

/// Where the browser comes back to.
#[derive(Clone, Debug, Serialize, Deserialize, Validate)]
#[garde(allow_unvalidated)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PortalRequest {
    return_url: String,
}

/// Opens the page on which the caller's organization looks after its subscription.
pub(crate) async fn open_portal(
    billing: &Billing,
    (store, trail): (&Store, &Trail),
    principal: &Principal,
    once: &Once,
    request: &PortalRequest,
    now: Timestamp,
) -> Result<Done<PageResponse>, Error> {
    let return_url = billing
        .return_urls
        .check("returnUrl", &request.return_url)?;
    let client = billing.stripe()?;
    if let Some(done) = once.replay(store).await? {
        return Ok(done);
    }
    let organization = organization::find(store, &principal.org_id).await?;
    let customer_id = organization.stripe_customer_id;
    let customer_id = customer_id.ok_or(Refusal::Transition("nothing was bought yet"))?;
    let key = key_at_stripe("portal", once);
    let configuration = billing.portal_configuration.as_deref();
    let page = client
        .open_portal(&customer_id, return_url, configuration, &key)
        .await;
    let page = match page {
        Err(stripe::Error::Rejected { .. }) if is_deleted(client, &customer_id).await? => {
            let problem = "there is no customer any more: open a checkout";
            return Err(Refusal::Transition(problem).into());
        }
        page => page.map_err(Dependency::from)?,
    };
    let page = &page;
    once.commit(store, || async move {
        let metadata = json!({ "sessionId": page.id });
        let entry = entry(principal, AuditAction::BillingPortalOpen, metadata);
        Ok((trail.append(entry, now).await?, page.clone().into()))
    })
    .await
}
