//! Who is calling, and what they may do: Firebase ID tokens to the letter of the documentation,
//! the OIDC tokens of Google's service accounts likewise, and the table of roles and actions.
//!
//! ```
//! use shared::auth::{self, Error, KeySet};
//!
//! // Google publishes its keys like this one, whose other half is forgotten.
//! let modulus = concat!(
//!     "v895mXZ7NJ2UhkZJO2qol2DZkwt3vyMVJQRN4Q9E6SYaOgc5R4aJV0Beu8uKItDgGCGeRCliHnp8KW_2ToSb",
//!     "k2dd5f82SC_337pL_lCK4dpxnWi2es6obN6ijPjc8s-RCUxzKoiLuQHO58u0BCefpv6s7LZYrjnT-LNj7sJ6",
//!     "RMxD82EIf_5DukT01F5jlCSzIwLnMWghFYU9SaPQd0MVtTkHDT-5gpVHbJcHUfsMgXNzcH3EA4D8sSzwu_9S",
//!     "bJRfOM6DHpPb1vUX1hHb_a6DmRZ2guo3TPZCoL_uBoa6SsFKL7VNO2qXxFmEbCv1DYnBqssid2RGnEaIoeGh",
//!     "q8Im0w",
//! );
//! let jwks = format!(r#"{{"keys":[{{"kty":"RSA","kid":"k1","n":"{modulus}","e":"AQAB"}}]}}"#);
//! let keys = KeySet::from_jwks(&jwks)?;
//!
//! // {"alg":"RS256","kid":"k1","typ":"JWT"} . {"iss":"https://securetoken.google.com/my-project",
//! // "aud":"my-project","auth_time":…,"iat":…,"exp":…,"sub":"uid1"} . signature
//! let token = concat!(
//!     "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIiwidHlwIjoiSldUIn0.",
//!     "eyJpc3MiOiJodHRwczovL3NlY3VyZXRva2VuLmdvb2dsZS5jb20vbXktcHJvamVjdCIsImF1ZCI6Im15LXBy",
//!     "b2plY3QiLCJhdXRoX3RpbWUiOjE3OTU0MzUxNDAsImlhdCI6MTc5NTQzNTE0MCwiZXhwIjoxNzk1NDM4NzQw",
//!     "LCJzdWIiOiJ1aWQxIn0.",
//!     "poWjcSEEbqBu1RxePDOihtiQR7Bf98Pzj5xuTGsV_9hffykrWK0UMiZXHkj2GNAmciz36LnCSOEMBacZ1bSE",
//!     "1K4uHNnGJ7ERb-n-tgGA10KvW6RNIHeHf2tI5GKiSjzXyuH3tw6lLlFBR3pv-lMS6YSeSL-7Bf8AIkezbHe2",
//!     "GBZPX6RQmpm9t_Ux2bZ4JEaR9E4EkCrTYU8bQLvaSbhr14Ij22dVKSumhpIhnupoVqe7gcjK9mkwxF0_4WXp",
//!     "0_g5RKHRBBW5tPWXMlgQ1Zj3vc6LqDXuS-2CSKQyyyewxQOb7LG4LArU7uwY4ui-cz2Jd4bMcfNc9y6kx3tu",
//!     "3onftg",
//! );
//!
//! let verify = |token: &str, time: &str, project: &str| {
//!     auth::verify(token, time.parse().unwrap(), keys.of_project(project))
//! };
//! let claims = verify(token, "2026-11-23T12:00:00Z", "my-project")?;
//! assert_eq!(claims.uid.as_str(), "uid1");
//!
//! let hour_later = verify(token, "2026-11-23T13:00:00Z", "my-project");
//! assert!(matches!(hour_later, Err(Error::Expired)));
//! let elsewhere = verify(token, "2026-11-23T12:00:00Z", "other-project");
//! assert!(matches!(elsewhere, Err(Error::Claim("aud"))));
//! let altered = verify(&token.replace("J1aWQxIn0", "J1aWQyIn0"), "2026-11-23T12:00:00Z", "my-project");
//! assert!(matches!(altered, Err(Error::Signature)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod candidate;
mod claims;
mod google_keys;
mod key_cache;
mod keys;
mod payload;
mod role;
mod service_token;
mod strict_json;
mod token;
mod verifier;

pub use claims::{Claims, verify};
pub use google_keys::GoogleKeys;
pub use key_cache::KeyCache;
pub use keys::{FetchedKeys, KeySet, KeySource, ProjectKeys};
pub use role::{Action, is_allowed};
pub use service_token::{ServiceAccount, ServiceAuthConfig, ServiceTokenVerifier, SignatureCheck};
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
    /// The token proves a service account that is not expected to call.
    #[error("the token is of another service account")]
    ServiceAccount,
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
