use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    audit::{self, Entry, Trail},
    auth::Claims,
    ids::{RecordId, Uid},
    invitation::{LIFETIME_SECS, MAX_WAITING, Token, Tokens, join},
    members::Members,
    models::{AuditAction, Invitation, Principal, Role, Timestamp, User},
    outbox,
    store::{self, Listing, Page, Store, Versioned, Write, commit_contended, invitations, users},
};

use crate::{
    billing::Billing,
    departure,
    error::{Error, Refusal},
    idempotency::{Done, Once},
    organization,
};

/// Invitations of an organization that are read at once. There are never more than may wait: each
/// new one takes those that are over away.
const MAX_READ: u32 = 500;

/// What a token of any kind that is good for nothing is answered.
const NO_SUCH: Error = Error::NotFound("invitation");

/// What whoever has not shown to own its address is answered.
const UNVERIFIED: Error = Error::Precondition("verify your e-mail address first");

/// An invitation as members see it: its token goes out by mail only.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InvitationSummary {
    pub(crate) id: RecordId,
    email: String,
    role: Role,
    expires_at: Timestamp,
    invited_by: Uid,
}

/// An invitation of an address by the caller, to a role that is not above its own. Mail goes out in
/// the name of those only who can be reached themselves.
pub(crate) async fn draft(
    tokens: &Tokens,
    principal: &Principal,
    claims: &Claims,
    email: &str,
    role: Role,
    now: Timestamp,
) -> Result<Invitation, Error> {
    if role > principal.role {
        return Err(Refusal::Denied("you cannot invite to a role above your own").into());
    }
    if !claims.email_verified {
        return Err(UNVERIFIED);
    }
    let (id, org_id) = (RecordId::generate(), principal.org_id.clone());
    let token_hash = tokens
        .hash(&org_id, &id)
        .await
        .map_err(audit::Error::from)?;
    Ok(Invitation {
        id,
        org_id,
        token_hash,
        email: email.to_lowercase(),
        role,
        invited_by: principal.uid.clone(),
        expires_at: now.plus_seconds(LIFETIME_SECS),
        created_at: now,
    })
}

/// Keeps the invitation in the place of an earlier one for the same address, which must not be to a
/// role above the caller's own, and has its mail sent, in one commit.
pub(crate) async fn create(
    store: &Store,
    trail: &Trail,
    once: &Once,
    principal: &Principal,
    invitation: &Invitation,
) -> Result<Done<InvitationSummary>, Error> {
    let (org_id, now) = (&invitation.org_id, invitation.created_at);
    once.commit(store, || async move {
        let (mut writes, found) = record(store, trail, invitation).await?;
        if replaced(&found, invitation).is_some_and(|other| other.role > principal.role) {
            let message = "this address is invited to a role above your own";
            return Err(Refusal::Denied(message).into());
        }
        if store
            .has_member_with_email(org_id, &invitation.email)
            .await?
        {
            return Err(Refusal::AlreadyExists("a member has this address").into());
        }
        writes.extend(make_room(&found, invitation)?);
        writes.push(invitations::create(invitation)?);
        writes.push(store::outbox::create(&outbox::invitation(invitation, now))?);
        Ok((writes, invitation.clone().into()))
    })
    .await
}

/// The invitations of the caller's organization that wait.
pub(crate) async fn list(
    store: &Store,
    principal: &Principal,
    page: &Page,
    now: Timestamp,
) -> Result<Listing<InvitationSummary>, Error> {
    let listing = store.list_invitations(&principal.org_id, page).await?;
    let waiting = listing.items.into_iter();
    let waiting = waiting.filter(|invitation| invitation.expires_at > now);
    Ok(Listing {
        items: waiting.map(Into::into).collect(),
        next: listing.next,
    })
}

/// Withdraws an invitation that waits.
pub(crate) async fn revoke(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    id: &RecordId,
    now: Timestamp,
) -> Result<(), Error> {
    commit_contended(store, || async move {
        let found = store.find_invitation(&principal.org_id, id).await?;
        let waiting = found.filter(|invitation| invitation.value.expires_at > now);
        let invitation = waiting.ok_or(NO_SUCH)?;
        let (actor, action) = (principal.uid.as_str(), AuditAction::InvitationRevoke);
        let entry = Entry::new(
            &principal.org_id,
            actor,
            action,
            metadata(&invitation.value),
        );
        let mut writes = trail.append(entry, now).await?;
        writes.push(invitations::delete(&invitation));
        Ok((writes, ()))
    })
    .await
}

/// Uses an invitation up: the caller, whose verified address must be the invited one, leaves its
/// organization and joins the other, in one commit.
pub(crate) async fn accept(
    billing: &Billing,
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    claims: &Claims,
    token: &str,
    now: Timestamp,
) -> Result<User, Error> {
    let token = &Token::parse(token).ok_or(NO_SUCH)?;
    commit_contended(store, || async move {
        let invitation = find_own(store, claims, token, now).await?;
        let mut user = organization::find_free_caller(store, principal).await?;
        let Invitation { org_id, role, .. } = &invitation.value;
        if user.value.organization_id == *org_id {
            return Err(Refusal::AlreadyExists("you are a member already").into());
        }
        let joined = join(store, trail, &invitation, &principal.uid, now).await?;
        let mut writes = joined.ok_or(NO_SUCH)?;
        let members = Members::load(store, &user.value.organization_id).await?;
        writes.extend(departure::leave(billing, store, trail, &user.value, members, now).await?);
        user.value.organization_id = org_id.clone();
        user.value.role = *role;
        writes.push(users::set_membership(&user)?);
        Ok((writes, user.value))
    })
    .await
}

/// The invitation that the token opens, if it is for the caller's address.
async fn find_own(
    store: &Store,
    claims: &Claims,
    token: &Token,
    now: Timestamp,
) -> Result<Versioned<Invitation>, Error> {
    let found = store.find_invitation(token.org_id(), token.invitation_id());
    let own = found.await?.filter(|invitation| {
        let invitation = &invitation.value;
        let is_for_caller = claims.email.as_ref() == Some(&invitation.email);
        is_for_caller && token.opens(invitation) && invitation.expires_at > now
    });
    let invitation = own.ok_or(NO_SUCH)?;
    if !claims.email_verified {
        return Err(UNVERIFIED);
    }
    Ok(invitation)
}

/// The writes that record the invitation and what it replaces, with all invitations as they are at
/// that place of the chain: of two inviters the second loses the race and sees what the first has
/// made.
async fn record(
    store: &Store,
    trail: &Trail,
    invitation: &Invitation,
) -> Result<(Vec<Write>, Vec<Versioned<Invitation>>), Error> {
    let (org_id, actor) = (&invitation.org_id, invitation.invited_by.as_str());
    let mut known = store.list_all_invitations(org_id, MAX_READ).await?;
    loop {
        let id = replaced(&known, invitation).map(|other| &other.id);
        let mut entry = metadata(invitation);
        if let Some(id) = id {
            entry["replaces"] = json!(id);
        }
        let entry = Entry::new(org_id, actor, AuditAction::InvitationCreate, entry);
        let writes = trail.append(entry, invitation.created_at).await?;
        // Looked at again: only what is read after the chain's end is as new as that.
        let found = store.list_all_invitations(org_id, MAX_READ).await?;
        if replaced(&found, invitation).map(|other| &other.id) == id {
            return Ok((writes, found));
        }
        known = found;
    }
}

/// The invitation in whose place the new one comes.
fn replaced<'a>(found: &'a [Versioned<Invitation>], new: &Invitation) -> Option<&'a Invitation> {
    let mut found = found.iter().map(|invitation| &invitation.value);
    found.find(|other| other.email == new.email && other.expires_at > new.created_at)
}

/// The writes that take away what the new invitation replaces, and what is over.
fn make_room(found: &[Versioned<Invitation>], new: &Invitation) -> Result<Vec<Write>, Error> {
    let is_waiting = |invitation: &Invitation| {
        invitation.expires_at > new.created_at && invitation.email != new.email
    };
    let (waiting, gone): (Vec<_>, Vec<_>) = found
        .iter()
        .partition(|invitation| is_waiting(&invitation.value));
    if waiting.len() >= MAX_WAITING {
        return Err(Refusal::Exhausted("as many invitations wait as may").into());
    }
    Ok(gone.into_iter().map(invitations::delete).collect())
}

fn metadata(invitation: &Invitation) -> Value {
    json!({ "invitationId": invitation.id, "role": invitation.role })
}

impl From<Invitation> for InvitationSummary {
    fn from(invitation: Invitation) -> Self {
        Self {
            id: invitation.id,
            email: invitation.email,
            role: invitation.role,
            expires_at: invitation.expires_at,
            invited_by: invitation.invited_by,
        }
    }
}
