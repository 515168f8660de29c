//! Who is calling, and what they may do: Firebase ID tokens to the letter of the documentation,
//! and the table of roles and actions.
//!
//! ```
//! use shared::auth::{self, Error, KeySet};
//!
//! let now = "2026-11-23T12:00:00Z".parse()?;
//! let keys = KeySet::from_jwks(r#"{"keys":[]}"#)?;
//! let verdict = auth::verify("not.a.token", now, &keys, "my-project");
//! assert!(matches!(verdict, Err(Error::Malformed)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod claims;
mod google_keys;
mod key_cache;
mod keys;
mod role;
mod strict_json;
mod token;
mod verifier;

#[cfg(test)]
mod signing;

pub use claims::{Claims, verify};
pub use google_keys::GoogleKeys;
pub use key_cache::KeyCache;
pub use keys::{FetchedKeys, KeySet, KeySource};
pub use role::{Action, is_allowed};
pub use verifier::{AuthConfig, FirebaseVerifier, TokenVerifier};

use crate::retry::Transient;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a token is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The token is longer than any that Firebase issues.
    #[error("the token is too large")]
    TooLarge,
    /// The token is not three parts of base64url with JSON objects whose keys are unique.
    #[error("the token is malformed")]
    Malformed,
    /// A header parameter is missing, wrong, or would let the token choose its own key.
    #[error("the token's header parameter `{0}` is not acceptable")]
    Header(&'static str),
    /// The token is not signed with the one algorithm that is accepted.
    #[error("the token's algorithm is not acceptable")]
    Algorithm,
    /// No current key has the token's key id.
    #[error("the token's key is unknown")]
    UnknownKey,
    /// The signature does not fit.
    #[error("the token's signature is wrong")]
    Signature,
    /// A claim is missing or wrong.
    #[error("the token's claim `{0}` is not acceptable")]
    Claim(&'static str),
    /// The token was good once.
    #[error("the token has expired")]
    Expired,
    /// The keys cannot be had at the moment.
    #[error("the keys of the token issuer are unavailable")]
    KeysUnavailable(#[source] BoxError),
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        matches!(self, Self::KeysUnavailable(_))
    }
}
