//! Why a sync goes on no further.

use std::time::Duration;

use shared::{
    connectors,
    models::Timestamp,
    quota,
    retry::{Policy, Transient, delay_after},
    store, vault,
};

/// The cause of a kind that the user has not granted.
pub(crate) const NEEDS_CONSENT: &str = "needs_consent";

/// Why a sync goes on no further.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    /// Somebody else is at it, or the integration is gone.
    #[error("somebody else is at the sync")]
    Superseded,
    /// There is more to do than there is time for; a message goes on with it.
    #[error("the time for one message is up")]
    OutOfTime,
    /// Google or the model did not do what was asked; the state keeps why.
    #[error("the sync failed: {}", _0.cause)]
    Failed(Failure),
    /// Our own database failed: the message has to be delivered again.
    #[error("the sync cannot be kept")]
    Store(#[from] store::Error),
}

/// What the state keeps of a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// A code.
    pub(crate) cause: &'static str,
    /// Whether trying again may help.
    pub(crate) is_transient: bool,
    /// How long the other side asked to wait.
    pub(crate) retry_after: Option<Duration>,
    /// Whether it may be about one mail or file: others may do.
    pub(crate) may_be_of_one: bool,
}

/// Until something changes that nobody tells of: a budget, a quota of a day.
const SPENT_WAIT: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

impl Failure {
    /// The organization's budget for models is used up.
    pub(crate) const SPENT: Self = Self::asking("spend_limit", SPENT_WAIT);

    /// Who connected the account is no member any more, or is locked out.
    pub(crate) const OWNER_GONE: Self = Self::lasting("owner_gone");

    /// The plan has no sync.
    pub(crate) const PLAN: Self = Self::lasting("plan");

    /// No answer came in time.
    pub(crate) const TIMED_OUT: Self = Self {
        cause: "unavailable",
        is_transient: true,
        retry_after: None,
        may_be_of_one: true,
    };

    /// Others have all readers, or all room for what is read.
    pub(crate) const BUSY: Self = Self {
        cause: "busy",
        is_transient: true,
        retry_after: None,
        may_be_of_one: false,
    };

    /// Our own database failed.
    const INTERNAL: Self = Self {
        cause: "internal",
        is_transient: true,
        retry_after: None,
        may_be_of_one: false,
    };

    /// What a pause may change.
    const fn asking(cause: &'static str, pause: Duration) -> Self {
        Self {
            cause,
            is_transient: true,
            retry_after: Some(pause),
            may_be_of_one: false,
        }
    }

    /// What no pause will change.
    pub(crate) const fn lasting(cause: &'static str) -> Self {
        Self {
            cause,
            is_transient: false,
            retry_after: None,
            may_be_of_one: false,
        }
    }

    fn of(error: &impl Transient, cause: &'static str) -> Self {
        Self {
            cause,
            is_transient: error.is_transient(),
            retry_after: error.retry_after(),
            may_be_of_one: false,
        }
    }

    /// When to try again after so many failures in a row; at the next tick, where no pause helps.
    pub(crate) fn retry_at(&self, failures: u32, now: Timestamp) -> Option<Timestamp> {
        let delay = delay_after(&Policy::LATER, failures, self);
        self.is_transient.then(|| now.plus(delay))
    }
}

impl Transient for Failure {
    fn is_transient(&self) -> bool {
        self.is_transient
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl Stop {
    /// What the state keeps of it, if anything.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            Self::Store(error) if !error.is_lost_race() => Some(&Failure::INTERNAL),
            _ => None,
        }
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<vault::Error> for Stop {
    fn from(error: vault::Error) -> Self {
        let cause = match &error {
            vault::Error::NotConnected | vault::Error::Ambiguous | vault::Error::Disconnecting => {
                "disconnected"
            }
            vault::Error::Broken | vault::Error::OtherAccount { .. } => "unauthorized",
            vault::Error::NeedsConsent { .. } => NEEDS_CONSENT,
            vault::Error::Service(connectors::Error::Unauthorized) => "unauthorized",
            vault::Error::Service(connectors::Error::RateLimited { .. }) => "rate_limited",
            _ if error.is_transient() => "unavailable",
            _ => "refused",
        };
        match error {
            vault::Error::Store(error) => error.into(),
            error if is_of_the_day(&error) => Failure::asking("rate_limited", DAY).into(),
            error => Self::Failed(Failure {
                may_be_of_one: may_be_of_one(&error),
                ..Failure::of(&error, cause)
            }),
        }
    }
}

/// Google's quota of a day for all calls of ours.
fn is_of_the_day(error: &vault::Error) -> bool {
    reason(error) == Some("dailyLimitExceeded")
}

/// What a mail or file alone may do: its content cannot be given, or not be read, or a refusal that
/// tells nothing else. What names the account (`domainPolicy`, `accessNotConfigured`) is of all of
/// them.
fn may_be_of_one(error: &vault::Error) -> bool {
    let vault::Error::Service(service) = error else {
        return false;
    };
    match service {
        connectors::Error::Unavailable(_)
        | connectors::Error::Unknown(_)
        | connectors::Error::Malformed
        | connectors::Error::Forbidden {
            needs_consent: false,
        } => true,
        // <https://developers.google.com/workspace/drive/api/guides/handle-errors>
        connectors::Error::Rejected {
            status: 403,
            reason,
        } => matches!(reason.as_deref(), None | Some("downloadQuotaExceeded")),
        connectors::Error::Rejected { .. } => true,
        _ => false,
    }
}

fn reason(error: &vault::Error) -> Option<&str> {
    match error {
        vault::Error::Service(connectors::Error::Rejected { reason, .. }) => reason.as_deref(),
        _ => None,
    }
}

impl From<quota::Error> for Stop {
    fn from(error: quota::Error) -> Self {
        match error {
            quota::Error::Store(error) => error.into(),
            quota::Error::Exhausted { .. } | quota::Error::SwitchedOff => Failure::SPENT.into(),
            error if error.is_transient() && error.retry_after().is_some() => {
                Failure::of(&error, "rate_limited").into()
            }
            error if error.is_transient() => Failure::of(&error, "unavailable").into(),
            error => Failure::of(&error, "embedding_model").into(),
        }
    }
}
