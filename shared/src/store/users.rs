//! `users` and `deleted_users`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    DocumentPath, Error, Listing, Page, Store, Versioned, Write,
    document_db::{Comparison, Document, Order, Precondition, Query},
    readable,
};
use crate::{
    ids::{OrgId, Uid, fingerprint},
    models::{DeletedUser, Role, SystemPrincipal, Timestamp, User},
};

/// Members that are read at once.
const MEMBER_BATCH: u32 = 300;

impl Store {
    /// The user's document; the caller is that user, or acts for it.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_user(&self, uid: &Uid) -> Result<Option<Versioned<User>>, Error> {
        self.load(&path(uid)).await
    }

    /// The organization's member; another organization's does not exist.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_member(
        &self,
        org_id: &OrgId,
        uid: &Uid,
    ) -> Result<Option<Versioned<User>>, Error> {
        let user = self.find_user(uid).await?;
        Ok(user.filter(|user| user.value.organization_id == *org_id))
    }

    /// The organization's members by id.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_members(&self, org_id: &OrgId, page: &Page) -> Result<Listing<User>, Error> {
        let query = Query::new("users", page.limit);
        let query = query.filter("organizationId", Comparison::Equal, org_id.as_str());
        self.page_by_id(query, page).await
    }

    /// The organization's admins that are not locked out.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_admins(&self, org_id: &OrgId) -> Result<Vec<Uid>, Error> {
        let mut admins = Vec::new();
        let mut page = Page::first(MEMBER_BATCH);
        loop {
            let members = self.list_members(org_id, &page).await?;
            let acting = members.items.into_iter();
            let acting = acting.filter(|user| user.role == Role::Admin && !user.disabled);
            admins.extend(acting.map(|user| user.uid));
            match members.next {
                Some(next) => page.after = Some(next),
                None => return Ok(admins),
            }
        }
    }

    /// Whether a member of the organization has this address, given in lower case.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn has_member_with_email(&self, org_id: &OrgId, email: &str) -> Result<bool, Error> {
        let query = Query::new("users", 1)
            .filter("organizationId", Comparison::Equal, org_id.as_str())
            .filter("email", Comparison::Equal, email);
        Ok(!self.db.query(&query).await?.is_empty())
    }

    /// What is kept of a user that was deleted.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_deleted_user(
        &self,
        uid: &Uid,
    ) -> Result<Option<Versioned<DeletedUser>>, Error> {
        self.load(&deleted_path(uid)).await
    }

    /// Deleted users whose erasure is to go on by now, longest due first, at most `limit`. One
    /// that cannot be read is logged and holds no other up.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_due_erasures(
        &self,
        _caller: &SystemPrincipal,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Versioned<DeletedUser>>, Error> {
        let query = Query::new("deleted_users", limit)
            .filter("dueAt", Comparison::LessOrEqual, now)
            .order(Order::Ascending("dueAt"));
        let documents = self.db.query(&query).await?;
        let read = |document: &Document| {
            let (value, version) = (readable(document)?, document.version);
            Some(Versioned { value, version })
        };
        Ok(documents.iter().filter_map(read).collect())
    }
}

/// Creates the user's document.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(user: &User) -> Result<Write, Error> {
    super::create(path(&user.uid), user)
}

/// Sets where the user belongs and what it may do there, if nobody changed the document meanwhile.
/// The rest stays as it is: clients write it.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set_membership(user: &Versioned<User>) -> Result<Write, Error> {
    let membership = Membership {
        organization_id: &user.value.organization_id,
        role: user.value.role,
        disabled: user.value.disabled,
    };
    let precondition = Precondition::Version(user.version);
    super::merge(path(&user.value.uid), &membership, precondition)
}

/// Changes nothing, but has the commit fail when the user is not there any more.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn require(uid: &Uid) -> Result<Write, Error> {
    let field = BTreeMap::from([("uid", uid)]);
    super::merge(path(uid), &field, Precondition::Exists)
}

/// Ends the user's sessions that began before `valid_after`, if nobody changed the document
/// meanwhile.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn end_sessions(user: &Versioned<User>, valid_after: Timestamp) -> Result<Write, Error> {
    let field = BTreeMap::from([("tokensValidAfter", valid_after)]);
    let precondition = Precondition::Version(user.version);
    super::merge(path(&user.value.uid), &field, precondition)
}

/// Deletes the user's document, if nobody changed it meanwhile.
#[must_use]
pub fn delete(user: &Versioned<User>) -> Write {
    super::delete(path(&user.value.uid), Precondition::Version(user.version))
}

/// Keeps that the user was deleted.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set_deleted(uid: &Uid, deleted: &DeletedUser) -> Result<Write, Error> {
    super::write(deleted_path(uid), deleted, Precondition::None)
}

/// The same, if nobody changed it meanwhile.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn replace_deleted(uid: &Uid, deleted: &Versioned<DeletedUser>) -> Result<Write, Error> {
    super::replace(deleted_path(uid), deleted)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Membership<'a> {
    organization_id: &'a OrgId,
    role: Role,
    disabled: bool,
}

fn path(uid: &Uid) -> DocumentPath {
    DocumentPath::new("users", uid.as_str())
}

/// The hash tells nobody who it was.
fn deleted_path(uid: &Uid) -> DocumentPath {
    let hash = fingerprint(&["deleted_user", uid.as_str()]);
    DocumentPath::new("deleted_users", &hash)
}
