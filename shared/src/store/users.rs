//! `users`.

use super::{DocumentPath, Error, Store, Versioned, Write};
use crate::{ids::Uid, models::User};

impl Store {
    /// The user's document; the caller is that user, or acts for it.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_user(&self, uid: &Uid) -> Result<Option<Versioned<User>>, Error> {
        self.load(&path(uid)).await
    }
}

/// Creates the user's document.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(user: &User) -> Result<Write, Error> {
    super::create(path(&user.uid), user)
}

fn path(uid: &Uid) -> DocumentPath {
    DocumentPath::new("users", uid.as_str())
}
