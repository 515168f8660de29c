//! `oauth_states`: authorizations under way.

use super::{DocumentPath, Error, Write};
use crate::models::OAuthState;

/// Keeps the state under the hash of its token.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(token_hash: &str, state: &OAuthState) -> Result<Write, Error> {
    super::create(DocumentPath::new("oauth_states", token_hash), state)
}
