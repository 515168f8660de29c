use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    audit::{self, Entry, Trail},
    auth::Claims,
    ids::{RecordId, Uid},
    invitation::{LIFETIME_SECS, MAX_WAITING, Token, Tokens, join},
    models::{AuditAction, Invitation, Principal, Role, Timestamp, User},
    outbox,
    store::{self, Listing, Page, Store, Versioned, Write, commit_contended, invitations, users},
};

use crate::{
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

/// An invitation of an address by the caller, to a role that is not above its own.
pub(crate) async fn draft(
    tokens: &Tokens,
    principal: &Principal,
    email: &str,
    role: Role,
    now: Timestamp,
) -> Result<Invitation, Error> {
    if role > principal.role {
        return Err(Refusal::Denied("you cannot invite to a role above your own").into());
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

/// Keeps the invitation in the place of an earlier one for the same address, and has its mail
/// sent, in one commit.
pub(crate) async fn create(
    store: &Store,
    trail: &Trail,
    once: &Once,
    invitation: &Invitation,
) -> Result<Done<InvitationSummary>, Error> {
    let (org_id, now) = (&invitation.org_id, invitation.created_at);
    once.commit(store, || async move {
        // Appended first: whatever is read after is as new as the chain's end, so that of two
        // inviters the second loses the race and sees what the first has made.
        let action = AuditAction::InvitationCreate;
        let entry = entry(invitation, invitation.invited_by.as_str(), action);
        let mut writes = trail.append(entry, now).await?;
        if store
            .has_member_with_email(org_id, &invitation.email)
            .await?
        {
            return Err(Refusal::AlreadyExists("a member has this address").into());
        }
        let found = store.list_all_invitations(org_id, MAX_READ).await?;
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
        let entry = entry(&invitation.value, actor, action);
        let mut writes = trail.append(entry, now).await?;
        writes.push(invitations::delete(&invitation));
        Ok((writes, ()))
    })
    .await
}

/// Uses an invitation up: the caller, whose verified address must be the invited one, leaves its
/// organization and joins the other, in one commit.
pub(crate) async fn accept(
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
        writes.extend(departure::leave_for_another(store, trail, &user.value, now).await?);
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
        return Err(Error::Precondition("verify your e-mail address first"));
    }
    Ok(invitation)
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

fn entry(invitation: &Invitation, actor: &str, action: AuditAction) -> Entry {
    let metadata = json!({ "invitationId": invitation.id, "role": invitation.role });
    Entry::new(&invitation.org_id, actor, action, metadata)
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
