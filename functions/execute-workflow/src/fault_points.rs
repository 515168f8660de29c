//! Places where the fault tests end this process, and behaviour they break on purpose. Without the
//! feature `failpoints`, as services ship, none of it is compiled.

use fail::fail_point;

/// A moment in a run at which a worker may be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KillPoint {
    /// The execution is committed, the event is not acknowledged and no node has begun.
    BeforeClaim,
    /// The lease is ours and nothing has begun.
    AfterClaim,
    /// Intents are durable and no effect has been sent.
    AfterIntent,
    /// A request is on its way and its answer has not come.
    AfterSend,
    /// The answer has come and is not recorded.
    AfterResponse,
    /// The result is durable and the request is not acknowledged.
    AfterResult,
    /// The lease is being renewed.
    InRenewal,
    /// An outbox row or a continuation is being published.
    InPublish,
}

/// A rule of the engine that a test switches off, to see the checker notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// Writes do not carry the fence.
    NoFence,
    /// An event is acknowledged before its execution is durable.
    AckFirst,
    /// The idempotency key contains the attempt.
    AttemptInKey,
    /// Effects begin without a durable intent.
    NoIntent,
    /// An answer of the 400 class is tried again.
    RetryOn400,
    /// A second result replaces the first.
    LastResultWins,
}

impl KillPoint {
    /// All of them, in the order of a run.
    pub const ALL: [Self; 8] = [
        Self::BeforeClaim,
        Self::AfterClaim,
        Self::AfterIntent,
        Self::AfterSend,
        Self::AfterResponse,
        Self::AfterResult,
        Self::InRenewal,
        Self::InPublish,
    ];

    /// The name of its fail point.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BeforeClaim => "before_claim",
            Self::AfterClaim => "after_claim",
            Self::AfterIntent => "after_intent",
            Self::AfterSend => "after_send",
            Self::AfterResponse => "after_response",
            Self::AfterResult => "after_result",
            Self::InRenewal => "in_renewal",
            Self::InPublish => "in_publish",
        }
    }
}

impl Flaw {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::NoFence,
        Self::AckFirst,
        Self::AttemptInKey,
        Self::NoIntent,
        Self::RetryOn400,
        Self::LastResultWins,
    ];

    /// The name of its fail point.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoFence => "no_fence",
            Self::AckFirst => "ack_first",
            Self::AttemptInKey => "attempt_in_key",
            Self::NoIntent => "no_intent",
            Self::RetryOn400 => "retry_on_400",
            Self::LastResultWins => "last_result_wins",
        }
    }
}

/// Ends the process here if a fault test has armed the point.
#[cfg_attr(
    not(feature = "failpoints"),
    expect(unused_variables, reason = "the macro expands to nothing then")
)]
pub fn reach(point: KillPoint) {
    fail_point!(point.as_str());
}

/// Whether a fault test has broken this rule; never in a service as it ships.
#[must_use]
#[cfg_attr(
    not(feature = "failpoints"),
    expect(unused_variables, reason = "the macro expands to nothing then")
)]
pub fn is_broken(flaw: Flaw) -> bool {
    fail_point!(flaw.as_str(), |_| true);
    false
}
