use shared::{
    audit, erasure, members, quota, retry::Transient, storage, store, stripe, topic, vault,
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Path of the field, such as `nodes[3].data.url`.
    pub(crate) field: String,
    /// What is expected.
    pub(crate) message: String,
}

impl Problem {
    pub(crate) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        let (field, message) = (field.into(), message.into());
        Self { field, message }
    }
}

/// Why the API does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The organization has no such thing.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// Fields have values that cannot be accepted.
    #[error("the request has invalid fields")]
    Invalid(Vec<Problem>),
    /// The state does not allow it.
    #[error("{0}")]
    Precondition(&'static str),
    /// It is refused for a reason of its own.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// An answer or an address cannot be made, or read again.
    #[error("the answer or the address is not what this version writes")]
    Form(#[source] BoxError),
    /// The plan does not allow it.
    #[error(transparent)]
    Quota(#[from] quota::Error),
    /// A user's account or what refers to it is not as it was to be.
    #[error(transparent)]
    Account(#[from] erasure::Error),
    /// It cannot be recorded.
    #[error(transparent)]
    Audit(#[from] audit::Error),
    /// What is neither here nor in the database failed.
    #[error(transparent)]
    Dependency(#[from] Dependency),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// What failed outside.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Dependency {
    /// The bucket failed, or an object is damaged.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// A connected service failed, or its credentials cannot be sealed or opened.
    #[error(transparent)]
    Vault(#[from] vault::Error),
    /// Stripe failed, or refuses what it should not.
    #[error(transparent)]
    Stripe(#[from] stripe::Error),
    /// The topic did not take a message.
    #[error(transparent)]
    Topic(#[from] topic::Error),
}

impl Transient for Dependency {
    fn is_transient(&self) -> bool {
        match self {
            Self::Storage(error) => error.is_transient(),
            Self::Vault(error) => error.is_transient(),
            Self::Stripe(error) => error.is_transient(),
            Self::Topic(error) => error.is_transient(),
        }
    }
}

/// Why something that could be is refused all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The caller may not do it.
    #[error("{0}")]
    Denied(&'static str),
    /// It is there already.
    #[error("{0}")]
    AlreadyExists(&'static str),
    /// There are as many as may be.
    #[error("{0}")]
    Exhausted(&'static str),
    /// Nothing proves who has sent it.
    #[error("{0}")]
    Unproven(&'static str),
    /// From where it is, nothing leads there.
    #[error("{0}")]
    Transition(&'static str),
}

impl Refusal {
    /// The caller is locked out.
    pub(crate) const DISABLED: Self = Self::Denied("this account is disabled");
    /// The idempotency key belongs to another request.
    pub(crate) const KEY_REUSED: Self =
        Self::AlreadyExists("this `Idempotency-Key` was used for another request");
    /// What the idempotency key has opened is closed by now.
    pub(crate) const KEY_SPENT: Self = Self::AlreadyExists(
        "the page of this `Idempotency-Key` is closed: use another key to open one",
    );
    /// The request to a webhook is not signed as it has to be.
    pub(crate) const UNSIGNED: Self =
        Self::Unproven("a valid signature in `webhook-signature` is required");
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Form(Box::new(error))
    }
}

impl From<url::ParseError> for Error {
    fn from(error: url::ParseError) -> Self {
        Self::Form(Box::new(error))
    }
}

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Self {
        Self::Dependency(error.into())
    }
}

impl From<vault::Error> for Error {
    fn from(error: vault::Error) -> Self {
        match error {
            vault::Error::Store(error) => Self::Store(error),
            vault::Error::Disconnecting => Self::Precondition(
                "the account is being disconnected: disconnect it once more, then connect it",
            ),
            error => Self::Dependency(error.into()),
        }
    }
}

impl From<members::Error> for Error {
    fn from(error: members::Error) -> Self {
        match error {
            members::Error::LastAdmin => Self::Precondition(
                "the organization needs an admin: make another member admin first",
            ),
            members::Error::Store(error) => Self::Store(error),
        }
    }
}
