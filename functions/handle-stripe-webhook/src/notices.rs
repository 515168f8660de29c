//! E-mails to the admins about their organization's subscription.

use shared::{
    ids::OrgId,
    models::BillingNotice,
    outbox,
    store::{self, Write, outbox as rows},
};

use crate::{AppState, CALLER};

/// The rows of the outbox that tell every admin once of what `about` names.
pub(crate) async fn write(
    state: &AppState,
    org_id: &OrgId,
    notice: &BillingNotice,
    about: &str,
) -> Result<Vec<Write>, store::Error> {
    let mut writes = Vec::new();
    for uid in state.store.list_admins(org_id).await? {
        let row = outbox::billing_notice(org_id, &uid, notice.clone(), about, state.now());
        let told = state.store.find_outbox_row(&CALLER, &row.id).await?;
        if told.is_none() {
            writes.push(rows::create(&row)?);
        }
    }
    Ok(writes)
}
