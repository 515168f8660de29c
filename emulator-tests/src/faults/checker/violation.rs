use std::fmt;

/// An invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// What was acknowledged exists.
    Lost,
    /// What exists comes to an end.
    Stuck,
    /// An end is final.
    EndChanged,
    /// A lease does not lie around.
    OldLease,
    /// The fence never falls.
    FenceFell,
    /// A result is written once.
    ResultChanged,
    /// A node begins after those before it.
    StartOrder,
    /// An intent is durable before its effect.
    NoIntent,
    /// An effect happens once.
    EffectTwice,
    /// A success has its effect.
    EffectMissing,
    /// A step has one key.
    KeyChanged,
    /// A success has an answer behind it.
    SilentSuccess,
    /// An answer that is final is not asked for again.
    RetriedRefusal,
    /// Log lines are numbered 1..n, each written once.
    LogGap,
    /// The ledger's sum is the counter.
    Ledger,
}

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub rule: Rule,
    /// Where: an execution, or a node of one.
    pub subject: String,
    /// How.
    pub what: String,
}

impl Violation {
    /// `subject` has broken `rule`.
    pub(super) fn new(rule: Rule, subject: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            rule,
            subject: subject.into(),
            what: what.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {}: {}", self.rule, self.subject, self.what)
    }
}
