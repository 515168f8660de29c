//! `oauth_states`: authorizations under way.

use super::{DocumentPath, Error, Store, Versioned, Write, document_db::Precondition};
use crate::models::OAuthState;

impl Store {
    /// The state under the hash of its token, which is all that its bearer shows.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_oauth_state(
        &self,
        token_hash: &str,
    ) -> Result<Option<Versioned<OAuthState>>, Error> {
        self.load(&path(token_hash)).await
    }
}

/// Keeps the state under the hash of its token.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(token_hash: &str, state: &OAuthState) -> Result<Write, Error> {
    super::create(path(token_hash), state)
}

/// Uses the state up: of two that do, one loses the race.
#[must_use]
pub fn delete(token_hash: &str, state: &Versioned<OAuthState>) -> Write {
    super::delete(path(token_hash), Precondition::Version(state.version))
}

fn path(token_hash: &str) -> DocumentPath {
    DocumentPath::new("oauth_states", token_hash)
}
