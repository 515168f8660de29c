//! What users do with their own account.

use std::sync::Arc;

use serde_json::json;
use shared::{
    audit::{Entry, Trail},
    auth::Claims,
    erasure::{self, Erasure},
    identity::Accounts,
    members::Members,
    models::{AuditAction, Principal, Timestamp, User},
    store::{Store, Versioned, Write, commit_contended, organizations, users},
};

use crate::{CALLER, departure, error::Error, organization};

/// An account is deleted by a session that began so long ago at most, as Firebase's own SDKs
/// demand (<https://firebase.google.com/docs/auth/web/manage-users#re-authenticate_a_user>): a
/// stolen token lives for an hour.
const RECENT_SECS: i64 = 5 * 60;

/// The name of an organization that nobody belongs to any more: the old one may tell a person's.
const CLOSED: &str = "Closed organization";

/// Ends all sessions of the caller, this one included. The refresh tokens go first: when the rest
/// fails, this session is still there to try again.
pub(crate) async fn revoke_sessions(
    store: &Store,
    trail: &Trail,
    accounts: &dyn Accounts,
    principal: &Principal,
    now: Timestamp,
) -> Result<(), Error> {
    let revoked = accounts.revoke_sessions(&principal.uid, now.instant());
    revoked.await.map_err(erasure::Error::from)?;
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

/// Deletes the account that the token belongs to, with all that refers to it. A repeat goes on where
/// an earlier call stopped; the sweeper does as well.
pub(crate) async fn delete(
    store: &Store,
    trail: &Trail,
    accounts: Arc<dyn Accounts>,
    claims: &Claims,
    now: Timestamp,
) -> Result<(), Error> {
    if now > claims.auth_time.plus_seconds(RECENT_SECS) {
        return Err(Error::Precondition(
            "sign in again, then delete the account within five minutes",
        ));
    }
    commit_contended(store, || async {
        let Some(user) = store.find_user(&claims.uid).await? else {
            return Ok((Vec::new(), ()));
        };
        if user.value.has_ended(claims.auth_time) {
            return Err(Error::Precondition("this session was ended, sign in again"));
        }
        Ok((end_of(store, trail, &user, now).await?, ()))
    })
    .await?;
    let erasure = Erasure::new(store.clone(), trail.clone(), accounts);
    Ok(erasure.finish(&CALLER, &claims.uid, now).await?)
}

/// The writes that take the user out of its organization and out of the world. An organization
/// that loses its only member must be empty, and forgets its name.
async fn end_of(
    store: &Store,
    trail: &Trail,
    user: &Versioned<User>,
    now: Timestamp,
) -> Result<Vec<Write>, Error> {
    let (org_id, uid) = (&user.value.organization_id, &user.value.uid);
    let members = Members::load(store, org_id).await?;
    let is_last = members.has_one();
    let entry = Entry::new(org_id, uid.as_str(), AuditAction::AccountDelete, json!({}));
    let mut writes = vec![
        members.leave(&user.value)?,
        users::delete(user),
        erasure::begin(uid, now)?,
    ];
    if is_last {
        departure::require_empty(store, org_id).await?;
        writes.push(organizations::set_name(org_id, CLOSED)?);
    }
    writes.extend(trail.append(entry.by_erased(), now).await?);
    Ok(writes)
}
