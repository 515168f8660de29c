use std::cmp::Reverse;

use serde_json::json;

use crate::{
    audit::{self, Entry, Trail},
    ids::Uid,
    members::Members,
    models::{AuditAction, Invitation, SystemPrincipal, Timestamp},
    store::{self, Store, Versioned, Write, invitations},
};

/// Looks for an address in all organizations: the user belongs to none yet.
const CALLER: SystemPrincipal = SystemPrincipal {
    function: "invitation",
};

/// Invitations of one address that are looked at when it signs up.
const MAX_OF_ADDRESS: u32 = 100;

/// Whether somebody may still join by the invitation: it is not over, and who made it is still a
/// member, not locked out, with a role that is not below the one that it gives.
///
/// # Errors
/// Returns the database's error.
pub async fn stands(
    store: &Store,
    invitation: &Invitation,
    now: Timestamp,
) -> Result<bool, store::Error> {
    if invitation.expires_at <= now {
        return Ok(false);
    }
    let (org_id, uid) = (&invitation.org_id, &invitation.invited_by);
    let inviter = store.find_member(org_id, uid).await?;
    Ok(inviter.is_some_and(|inviter| {
        let inviter = inviter.value;
        !inviter.disabled && inviter.role >= invitation.role
    }))
}

/// The writes that use the invitation up, count the user as a member and record that it joined, to
/// be added to the commit that puts the user there; none when the invitation does not stand.
///
/// # Errors
/// Returns the errors of the database and of the audit trail.
pub async fn join(
    store: &Store,
    trail: &Trail,
    invitation: &Versioned<Invitation>,
    uid: &Uid,
    now: Timestamp,
) -> Result<Option<Vec<Write>>, audit::Error> {
    let Invitation {
        id, org_id, role, ..
    } = &invitation.value;
    // Before the inviter is looked at, so that it cannot lose its role meanwhile.
    let members = Members::load(store, org_id).await?;
    if !stands(store, &invitation.value, now).await? {
        return Ok(None);
    }
    let metadata = json!({ "invitationId": id, "role": role });
    let entry = Entry::new(org_id, uid.as_str(), AuditAction::MemberJoin, metadata).about(uid);
    let mut writes = trail.append(entry, now).await?;
    writes.push(members.join(*role)?);
    writes.push(invitations::delete(invitation));
    Ok(Some(writes))
}

/// The same for the newest invitation of an address, which must be the user's own, with that
/// invitation; none when none stands.
///
/// # Errors
/// Returns the errors of the database and of the audit trail.
pub async fn join_newest(
    store: &Store,
    trail: &Trail,
    email: &str,
    uid: &Uid,
    now: Timestamp,
) -> Result<Option<(Vec<Write>, Invitation)>, audit::Error> {
    let found = store.list_invitations_of_address(&CALLER, email, MAX_OF_ADDRESS);
    let mut found = found.await?;
    found.sort_by_key(|invitation| Reverse(invitation.value.created_at));
    for invitation in found {
        if let Some(writes) = join(store, trail, &invitation, uid, now).await? {
            return Ok(Some((writes, invitation.value)));
        }
    }
    Ok(None)
}
