use super::{Error, Vault, renew::is_own};
use crate::{
    models::{Integration, IntegrationStatus},
    outbox,
    store::{self, commit_contended, integrations},
};

impl Vault {
    /// Marks the integration as broken and has its owner told, once, unless its credentials were
    /// replaced since; tells whether it is broken now.
    pub(super) async fn mark_broken(&self, seen: &Integration, cause: &str) -> Result<bool, Error> {
        let now = self.now();
        let is_broken = commit_contended(&self.store, || async move {
            let found = self.store.find_integration(&seen.org_id, &seen.id).await?;
            let Some(mut current) = found else {
                return Ok((Vec::new(), true));
            };
            if current.value.status == IntegrationStatus::Error {
                return Ok((Vec::new(), true));
            }
            if !is_own(&current, seen) {
                return Ok((Vec::new(), false));
            }
            current.value.status = IntegrationStatus::Error;
            current.value.error_cause = Some(cause.to_owned());
            current.value.renewal.until = None;
            let mut writes = Vec::from(integrations::replace(&current)?);
            let mail = outbox::broken_integration(&current.value, now);
            writes.push(store::outbox::create(&mail)?);
            Ok::<_, store::Error>((writes, true))
        })
        .await?;
        if is_broken {
            tracing::warn!(integration.id = %seen.id, cause, "integration is broken");
        }
        Ok(is_broken)
    }
}
