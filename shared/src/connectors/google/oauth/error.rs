use std::{fmt, time::Duration};

use oauth2::{ErrorResponse, RequestTokenError};
use serde::{Deserialize, Serialize};

use crate::{connectors, retry::Transient};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Longest code of a refusal that is kept.
const MAX_CODE_LEN: usize = 64;

/// Why Google gave no token, or did not end one. Holds no code, token or body.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The code or the refresh token is worthless, for good.
    #[error("the grant is not valid any more ({0})")]
    InvalidGrant(GrantEnd),
    /// Google does not know this application, or its secret is wrong.
    #[error("Google does not accept this application")]
    InvalidClient,
    /// Google refuses this for good.
    #[error("Google refused the request ({code})")]
    Rejected {
        /// Its code: `redirect_uri_mismatch`.
        code: String,
    },
    /// Too many requests.
    #[error("Google's rate limit is reached")]
    RateLimited {
        /// How long it asked to wait.
        retry_after: Option<Duration>,
    },
    /// Google cannot be reached or fails.
    #[error("Google is unavailable")]
    Unavailable(#[source] BoxError),
    /// The answer is not what the documentation tells.
    #[error("Google's answer cannot be understood")]
    Malformed,
}

/// What Google lets know of why a grant is at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantEnd {
    /// It does not say. A changed password, half a year without use, or too many tokens end in it
    /// as well.
    Unknown,
    /// The user took it back, or it has expired.
    ExpiredOrRevoked,
    /// The organization's policy wants the user to sign in again.
    SignInRequired,
    /// The account was deleted or disabled.
    AccountGone,
}

impl GrantEnd {
    /// A code for it that can be stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "invalid_grant",
            Self::ExpiredOrRevoked => "expired_or_revoked",
            Self::SignInRequired => "sign_in_required",
            Self::AccountGone => "account_gone",
        }
    }
}

impl fmt::Display for GrantEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Unavailable(_))
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } => *retry_after,
            _ => None,
        }
    }
}

/// RFC 6749 section 5.2, with Google's `error_subtype`.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Refusal {
    error: String,
    #[serde(default)]
    error_subtype: Option<String>,
    #[serde(default)]
    error_description: Option<String>,
}

impl Refusal {
    /// Revocation answers `invalid_token`; the token may also be of a client that is gone.
    pub(super) fn is_about_the_token(&self) -> bool {
        matches!(self.error.as_str(), "invalid_token" | "invalid_grant")
    }

    /// Google documents no list: these texts were seen in practice.
    fn grant_end(&self) -> GrantEnd {
        let description = self.error_description.as_deref().unwrap_or_default();
        let subtype = self.error_subtype.as_deref().unwrap_or_default();
        let says = |word: &str| description.contains(word);
        if ["invalid_rapt", "rapt_required"].contains(&subtype) || says("rapt") {
            GrantEnd::SignInRequired
        } else if says("expired or revoked") {
            GrantEnd::ExpiredOrRevoked
        } else if says("Account has been deleted") || says("Account disabled") {
            GrantEnd::AccountGone
        } else {
            GrantEnd::Unknown
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal.error.as_str() {
            "invalid_grant" => Self::InvalidGrant(refusal.grant_end()),
            "invalid_client" | "unauthorized_client" | "deleted_client" => Self::InvalidClient,
            code if is_code(code) => Self::Rejected {
                code: code.to_owned(),
            },
            _ => Self::Malformed,
        }
    }
}

/// Text in place of a code could repeat what was sent.
fn is_code(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    (1..=MAX_CODE_LEN).contains(&text.len()) && text.bytes().all(is_allowed)
}

impl ErrorResponse for Refusal {}

/// The crate asks for both; nothing of what was sent is repeated.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal").finish_non_exhaustive()
    }
}

impl From<connectors::Error> for Error {
    /// No answer of OAuth's: a failure of the way there, or of a server on it.
    fn from(error: connectors::Error) -> Self {
        match error {
            connectors::Error::RateLimited { retry_after } => Self::RateLimited { retry_after },
            connectors::Error::Unavailable(source) => Self::Unavailable(source),
            _ => Self::Malformed,
        }
    }
}

impl From<Error> for connectors::Error {
    fn from(error: Error) -> Self {
        let rejected = |status, code: &str| Self::Rejected {
            status,
            reason: Some(code.to_owned()),
        };
        match error {
            Error::InvalidGrant(_) => Self::Unauthorized,
            Error::InvalidClient => rejected(401, "invalid_client"),
            Error::Rejected { code } => rejected(400, &code),
            Error::RateLimited { retry_after } => Self::RateLimited { retry_after },
            Error::Unavailable(source) => Self::Unavailable(source),
            Error::Malformed => Self::Malformed,
        }
    }
}

impl From<RequestTokenError<connectors::Error, Refusal>> for Error {
    /// A body that does not parse is dropped: it may hold a token.
    fn from(error: RequestTokenError<connectors::Error, Refusal>) -> Self {
        match error {
            RequestTokenError::ServerResponse(refusal) => refusal.into(),
            RequestTokenError::Request(error) => error.into(),
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => Self::Malformed,
        }
    }
}
