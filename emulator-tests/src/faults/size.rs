//! How much of everything.

use execute_workflow::fault_points::KillPoint;

/// The size of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// P1 to P3: executions that run while workers are killed.
    pub executions: usize,
    /// Kills at each named point.
    pub kills_per_point: usize,
    /// Kills at random times.
    pub random_kills: usize,
    /// P4: executions that run while store and sinks fail.
    pub faulty_executions: usize,
    /// P5: events, each delivered up to five times.
    pub events: usize,
    /// P6: workers frozen past their lease.
    pub zombies: usize,
    /// P7: good executions among the poisoned ones.
    pub good_executions: usize,
    /// P7: poisoned ones of each kind.
    pub poisoned: usize,
    /// P8: seconds that each kind of outage lasts.
    pub outage_secs: u64,
    /// P9: workers asked to end.
    pub shutdowns: usize,
    /// P11: workers that die between reservation and settlement.
    pub budget_kills: usize,
    /// Rounds within which a broken rule must be noticed.
    pub flaw_rounds: usize,
}

impl Size {
    /// For every change: a few minutes on two busy cores.
    pub const CI: Self = Self {
        executions: 60,
        kills_per_point: 5,
        random_kills: 60,
        faulty_executions: 100,
        events: 200,
        zombies: 10,
        good_executions: 100,
        poisoned: 1,
        outage_secs: 3,
        shutdowns: 10,
        budget_kills: 100,
        flaw_rounds: 6,
    };

    /// Before a release.
    pub const FULL: Self = Self {
        executions: 500,
        kills_per_point: 50,
        random_kills: 600,
        faulty_executions: 2_000,
        events: 2_000,
        zombies: 200,
        good_executions: 1_000,
        poisoned: 2,
        outage_secs: 60,
        shutdowns: 200,
        budget_kills: 1_000,
        flaw_rounds: 20,
    };

    /// All kills of P1.
    #[must_use]
    pub const fn kills(&self) -> usize {
        self.kills_per_point * KillPoint::ALL.len() + self.random_kills
    }
}
