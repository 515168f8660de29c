use serde_json::json;
use shared::{
    audit::{Entry, Trail},
    ids::OrgId,
    members::Members,
    models::{AuditAction, Organization, Principal, Role, Timestamp, User},
    provision::{PERSONAL_NAME, establish_organization},
    store::{Store, Versioned, Write, commit_contended, organizations, users},
};

use crate::{
    billing::Billing,
    departure,
    error::{Error, Refusal},
    idempotency::{Done, Once},
};

/// An organization that a user or an agent belongs to.
pub(crate) async fn find(store: &Store, org_id: &OrgId) -> Result<Organization, Error> {
    let organization = store.find_organization(org_id).await?;
    let organization = organization.ok_or(Error::NotFound("organization"))?;
    Ok(organization.value)
}

/// The caller's own document.
pub(crate) async fn find_caller(
    store: &Store,
    principal: &Principal,
) -> Result<Versioned<User>, Error> {
    let user = store.find_user(&principal.uid).await?;
    user.ok_or(Error::NotFound("user"))
}

/// The caller's own document, for a commit that changes where it belongs: who has been locked out
/// since the request came cannot leave the lock behind.
pub(crate) async fn find_free_caller(
    store: &Store,
    principal: &Principal,
) -> Result<Versioned<User>, Error> {
    let user = find_caller(store, principal).await?;
    if user.value.disabled {
        return Err(Refusal::DISABLED.into());
    }
    Ok(user)
}

/// Gives the caller's organization another name.
pub(crate) async fn rename(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    name: &str,
    now: Timestamp,
) -> Result<Organization, Error> {
    commit_contended(store, || {
        rename_once(store, trail, principal, &principal.org_id, name, now)
    })
    .await
}

/// Gives the caller an organization with this name: the one that is its alone gets the name, one
/// with other members is left for a new one.
pub(crate) async fn create(
    billing: &Billing,
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    once: &Once,
    name: &str,
    now: Timestamp,
) -> Result<Done<Organization>, Error> {
    once.commit(store, || async move {
        let user = find_free_caller(store, principal).await?;
        let org_id = &user.value.organization_id;
        let members = Members::load(store, org_id).await?;
        if members.has_one() {
            return rename_once(store, trail, principal, org_id, name, now).await;
        }
        let mut writes = departure::leave(billing, store, trail, &user.value, members, now).await?;
        let organization = Organization::new(OrgId::generate(), name.to_owned(), now);
        let entry = founding(&organization, principal.uid.as_str(), "request");
        writes.extend(move_to_new(trail, user, &organization, entry).await?);
        Ok((writes, organization))
    })
    .await
}

/// Has the caller leave its organization for a new one of its own.
pub(crate) async fn leave(
    billing: &Billing,
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    now: Timestamp,
) -> Result<(), Error> {
    commit_contended(store, || async move {
        let user = find_free_caller(store, principal).await?;
        let members = Members::load(store, &user.value.organization_id).await?;
        if members.has_one() {
            return Err(Error::Precondition(
                "nobody would be left: name the organization or delete the account",
            ));
        }
        let mut writes = departure::leave(billing, store, trail, &user.value, members, now).await?;
        let organization = personal(now);
        let entry = founding(&organization, principal.uid.as_str(), "leave");
        writes.extend(move_to_new(trail, user, &organization, entry).await?);
        Ok((writes, ()))
    })
    .await
}

/// A new organization for a user who has none any more.
pub(crate) fn personal(now: Timestamp) -> Organization {
    Organization::new(OrgId::generate(), PERSONAL_NAME.to_owned(), now)
}

/// Records that an organization is made.
pub(crate) fn founding(organization: &Organization, actor: &str, reason: &str) -> Entry {
    let action = AuditAction::OrganizationCreate;
    Entry::new(&organization.id, actor, action, json!({ "reason": reason }))
}

/// The writes that make the organization with the user as its only member.
pub(crate) async fn move_to_new(
    trail: &Trail,
    mut user: Versioned<User>,
    organization: &Organization,
    entry: Entry,
) -> Result<Vec<Write>, Error> {
    let mut writes = establish_organization(trail, organization, entry).await?;
    user.value.organization_id = organization.id.clone();
    user.value.role = Role::Admin;
    user.value.disabled = false;
    writes.push(users::set_membership(&user)?);
    Ok(writes)
}

async fn rename_once(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    org_id: &OrgId,
    name: &str,
    now: Timestamp,
) -> Result<(Vec<Write>, Organization), Error> {
    let mut organization = find(store, org_id).await?;
    if organization.name == name {
        return Ok((Vec::new(), organization));
    }
    name.clone_into(&mut organization.name);
    let (actor, action) = (principal.uid.as_str(), AuditAction::OrganizationRename);
    let entry = Entry::new(org_id, actor, action, json!({}));
    let mut writes = trail.append(entry, now).await?;
    writes.push(organizations::set_name(org_id, name)?);
    Ok((writes, organization))
}
