//! `users` and `deleted_users`.

use super::{
    DocumentPath, Error, Store, Versioned, Write,
    document_db::{Comparison, Precondition, Query},
};
use crate::{
    ids::{Uid, fingerprint},
    models::{DeletedUser, SystemPrincipal, User},
};

impl Store {
    /// The user's document; the caller is that user, or acts for it.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_user(&self, uid: &Uid) -> Result<Option<Versioned<User>>, Error> {
        self.load(&path(uid)).await
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

    /// Deleted users that something may still refer to, at most `limit`.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_pending_erasures(
        &self,
        _caller: &SystemPrincipal,
        limit: u32,
    ) -> Result<Vec<DeletedUser>, Error> {
        let query = Query::new("deleted_users", limit);
        let query = query.filter("state", Comparison::Equal, "pending");
        let users: Vec<Versioned<DeletedUser>> = self.list(&query).await?;
        Ok(users.into_iter().map(|user| user.value).collect())
    }
}

/// Creates the user's document.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(user: &User) -> Result<Write, Error> {
    super::create(path(&user.uid), user)
}

/// Replaces the user's document, if nobody changed it meanwhile.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn replace(user: &Versioned<User>) -> Result<Write, Error> {
    super::replace(path(&user.value.uid), user)
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

fn path(uid: &Uid) -> DocumentPath {
    DocumentPath::new("users", uid.as_str())
}

/// The hash tells nobody who it was.
fn deleted_path(uid: &Uid) -> DocumentPath {
    let hash = fingerprint(&["deleted_user", uid.as_str()]);
    DocumentPath::new("deleted_users", &hash)
}
