use serde_json::{Map, Value, json};
use shared::{
    audit::{Entry, Trail},
    auth::{Action, is_allowed},
    ids::Uid,
    members::Members,
    models::{AuditAction, Principal, Role, Timestamp, User},
    store::{Store, Versioned, commit_contended, users},
};

use crate::{
    CALLER,
    error::{Error, Refusal},
    organization,
};

/// What of a member is to be changed; what is left out stays.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MemberChange {
    pub(crate) role: Option<Role>,
    pub(crate) disabled: Option<bool>,
}

/// Changes a member of the caller's organization, and records to what.
pub(crate) async fn update(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    uid: &Uid,
    change: MemberChange,
    now: Timestamp,
) -> Result<User, Error> {
    commit_contended(store, || async move {
        let members = Members::load(store, &principal.org_id).await?;
        require(store, principal, Action::UpdateMember).await?;
        let mut member = find(store, principal, uid).await?;
        let before = member.value.clone();
        let metadata = change.apply(&mut member.value);
        if metadata.is_empty() {
            return Ok((Vec::new(), before));
        }
        let count = members.change(&before, &member.value)?;
        let entry = entry(principal, AuditAction::MemberUpdate, uid, metadata.into());
        let mut writes = trail.append(entry, now).await?;
        writes.extend([count, users::set_membership(&member)?]);
        Ok((writes, member.value))
    })
    .await
}

/// Puts a member out of the caller's organization, into a new one of its own.
pub(crate) async fn remove(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    uid: &Uid,
    now: Timestamp,
) -> Result<(), Error> {
    if *uid == principal.uid {
        return Err(Error::Precondition(
            "you cannot remove yourself: leave the organization instead",
        ));
    }
    commit_contended(store, || async move {
        let members = Members::load(store, &principal.org_id).await?;
        require(store, principal, Action::RemoveMember).await?;
        let member = find(store, principal, uid).await?;
        let count = members.leave(&member.value)?;
        let entry = entry(principal, AuditAction::MemberRemove, uid, json!({}));
        let mut writes = trail.append(entry, now).await?;
        writes.push(count);
        let new = organization::personal(now);
        // Who put it out is known in the old organization.
        let entry = organization::founding(&new, &CALLER.actor_id(), "removed").about(uid);
        writes.extend(organization::move_to_new(trail, member, &new, entry).await?);
        Ok((writes, ()))
    })
    .await
}

impl MemberChange {
    /// Applies it, and tells what has become different.
    fn apply(self, member: &mut User) -> Map<String, Value> {
        let mut changed = Map::new();
        if let Some(role) = self.role.filter(|role| *role != member.role) {
            member.role = role;
            changed.insert("role".to_owned(), json!(role));
        }
        if let Some(disabled) = self.disabled.filter(|it| *it != member.disabled) {
            member.disabled = disabled;
            changed.insert("disabled".to_owned(), json!(disabled));
        }
        changed
    }
}

async fn find(store: &Store, principal: &Principal, uid: &Uid) -> Result<Versioned<User>, Error> {
    let member = store.find_member(&principal.org_id, uid).await?;
    member.ok_or(Error::NotFound("member"))
}

/// Of two admins that act against each other, the one that is too late cannot act any more.
async fn require(store: &Store, principal: &Principal, action: Action) -> Result<(), Error> {
    let caller = store.find_member(&principal.org_id, &principal.uid).await?;
    let may = caller.is_some_and(|caller| {
        let caller = caller.value;
        !caller.disabled && is_allowed(caller.role, action)
    });
    if may {
        return Ok(());
    }
    Err(Refusal::Denied("your role does not allow this").into())
}

fn entry(principal: &Principal, action: AuditAction, uid: &Uid, metadata: Value) -> Entry {
    Entry::new(&principal.org_id, principal.uid.as_str(), action, metadata).about(uid)
}
