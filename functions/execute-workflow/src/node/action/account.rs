//! With whose account an action is done that people are asked about: theirs is the last word on
//! that, too.

use shared::{
    ids::{IntegrationId, OrgId},
    models::{Approval, AskedAccount, IntegrationService},
    store::{Error, Page, Store},
};

use super::{ActionCall, Call};
use crate::AppState;

/// Integrations of an organization that are looked at.
const MAX_READ: u32 = 200;

/// Which account an action needs.
pub(super) struct Need {
    service: IntegrationService,
    /// The only one of the service when absent.
    integration_id: Option<IntegrationId>,
}

impl Need {
    pub(super) fn of(call: &ActionCall) -> Self {
        Self {
            service: call.action.service,
            integration_id: call.integration_id.clone(),
        }
    }

    /// The account, if there is exactly one that fits.
    pub(super) async fn find(
        &self,
        store: &Store,
        org_id: &OrgId,
    ) -> Result<Option<AskedAccount>, Error> {
        let page = Page::first(MAX_READ);
        let statuses = store.list_integration_statuses(org_id, &page).await?.items;
        let mut fit = statuses.into_iter().filter(|status| {
            let is_named = |id: &IntegrationId| *id == status.id;
            status.service == self.service && self.integration_id.as_ref().is_none_or(is_named)
        });
        let only = fit.next().filter(|_| fit.next().is_none());
        Ok(only.map(|status| AskedAccount {
            integration_id: status.id,
            label: status.account_label,
        }))
    }
}

/// The integration that people have approved together with the action, if they were shown one.
pub(super) async fn approved(
    state: &AppState,
    call: &Call,
) -> Result<Option<IntegrationId>, Error> {
    let id = Approval::id_of(&call.execution.id, &call.node_id, &call.iteration);
    let found = state
        .store
        .find_approval(&call.execution.org_id, &id)
        .await?;
    let account = found.and_then(|found| found.value.action?.account);
    Ok(account.map(|account| account.integration_id))
}
