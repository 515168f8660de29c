//! What users do with their own account.

use serde_json::json;
use shared::{
    audit::{Entry, Trail},
    identity::Accounts,
    models::{AuditAction, Principal, Timestamp},
    store::{Store, commit_contended, users},
};

use crate::{error::Error, organization};

/// Ends all sessions of the caller, this one included. The refresh tokens go first: when the rest
/// fails, this session is still there to try again.
pub(crate) async fn revoke_sessions(
    store: &Store,
    trail: &Trail,
    accounts: &dyn Accounts,
    principal: &Principal,
    now: Timestamp,
) -> Result<(), Error> {
    accounts
        .revoke_sessions(&principal.uid, now.instant())
        .await?;
    commit_contended(store, || async {
        let user = organization::find_caller(store, principal).await?;
        let action = AuditAction::SessionsRevoke;
        let (org_id, actor_id) = (&user.value.organization_id, principal.uid.as_str());
        let entry = Entry::new(org_id, actor_id, action, json!({})).about(&principal.uid);
        let mut writes = trail.append(entry, now).await?;
        // Sessions are dated to the second: one that began in this second ends as well.
        let valid_after = now.whole_seconds().plus_seconds(1);
        writes.push(users::end_sessions(&user, valid_after)?);
        Ok((writes, ()))
    })
    .await
}
