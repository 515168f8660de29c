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
    provision,
    store::{Store, Write, commit_contended, invitations, users},
    vault::Vault,
};

use crate::{
    CALLER,
    billing::Billing,
    departure,
    error::{Error, Refusal},
    organization,
};

/// An account is deleted by a session that began so long ago at most, as Firebase's own SDKs
/// demand (<https://firebase.google.com/docs/auth/web/manage-users#re-authenticate_a_user>): a
/// stolen token lives for an hour.
const RECENT_SECS: i64 = 5 * 60;

/// Invitations of the user's address that go with it; an organization has one at most.
const MAX_INVITATIONS: u32 = 300;

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
    billing: &Billing,
    store: &Store,
    trail: &Trail,
    accounts: Arc<dyn Accounts>,
    vault: Option<Vault>,
    claims: &Claims,
    now: Timestamp,
) -> Result<(), Error> {
    if now > claims.auth_time.plus_seconds(RECENT_SECS) {
        return Err(Error::Precondition(
            "sign in again, then delete the account within five minutes",
        ));
    }
    make_known(store, trail, claims, now).await?;
    commit_contended(store, || async {
        let writes = end_of(billing, store, trail, claims, now).await?;
        Ok::<_, Error>((writes, ()))
    })
    .await?;
    let erasure = Erasure::new(store.clone(), trail.clone(), accounts).with_vault(vault);
    erasure.finish(&CALLER, &claims.uid, now).await?;
    Ok(())
}

/// Makes the user when its sign-up event has not arrived yet: only who is on record can be put on
/// record as deleted, without which that event would make a user without an account.
async fn make_known(
    store: &Store,
    trail: &Trail,
    claims: &Claims,
    now: Timestamp,
) -> Result<(), Error> {
    match provision::ensure_user(store, trail, claims.into(), now).await {
        Ok(_) | Err(provision::Error::Deleted) => Ok(()),
        Err(provision::Error::Audit(error)) => Err(error.into()),
        Err(provision::Error::Store(error)) => Err(error.into()),
    }
}

/// Who is locked out stays on record by name.
fn require_free(user: &User, claims: &Claims) -> Result<(), Error> {
    if user.disabled {
        return Err(Refusal::DISABLED.into());
    }
    if user.has_ended(claims.auth_time) {
        return Err(Error::Precondition("this session was ended, sign in again"));
    }
    Ok(())
}

/// The writes that take the user out of its organization and out of the world; none when an earlier
/// call has done it.
async fn end_of(
    billing: &Billing,
    store: &Store,
    trail: &Trail,
    claims: &Claims,
    now: Timestamp,
) -> Result<Vec<Write>, Error> {
    let Some(user) = store.find_user(&claims.uid).await? else {
        return Ok(Vec::new());
    };
    require_free(&user.value, claims)?;
    let (org_id, uid) = (&user.value.organization_id, &user.value.uid);
    let members = Members::load(store, org_id).await?;
    let entry = Entry::new(org_id, uid.as_str(), AuditAction::AccountDelete, json!({}));
    let entry = entry.by_erased();
    let mut writes =
        departure::depart(billing, store, trail, &user.value, members, entry, now).await?;
    writes.extend([users::delete(&user), erasure::begin(uid, now)?]);
    writes.extend(invitations_of(store, claims).await?);
    Ok(writes)
}

/// The writes that delete the invitations of the user's address. One that the user has not shown
/// to own may be somebody else's.
async fn invitations_of(store: &Store, claims: &Claims) -> Result<Vec<Write>, Error> {
    let Some(email) = claims.email.as_deref().filter(|_| claims.email_verified) else {
        return Ok(Vec::new());
    };
    let invited = store.list_invitations_of_address(&CALLER, email, MAX_INVITATIONS);
    Ok(invited.await?.iter().map(invitations::delete).collect())
}
