use std::collections::HashMap;

use shared::models::{Step, StepStatus};

/// What became of a node, in all iterations together.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) state: State,
    /// The time that its steps took together.
    pub(super) duration_ms: Option<i64>,
    /// Attempts of the step that needed most.
    pub(super) attempts: i64,
    /// How often a node in a loop ran, or what became of a loop's items.
    pub(super) count: Option<Count>,
}

/// Iterations of a node in a loop, or items of a loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) done: usize,
    pub(super) failed: usize,
    /// Those that are neither.
    pub(super) open: usize,
}

/// How far a node has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Succeeded,
    Failed,
    Running,
    Waiting,
    Unknown,
    Skipped,
    /// Nothing is known of it, so far or for good.
    Pending,
}

impl State {
    pub(super) const ALL: [Self; 7] = [
        Self::Succeeded,
        Self::Failed,
        Self::Running,
        Self::Waiting,
        Self::Unknown,
        Self::Skipped,
        Self::Pending,
    ];

    /// What people read.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pending => "not run",
            state => state.as_str(),
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Unknown => "unknown",
            Self::Skipped => "skipped",
            Self::Pending => "pending",
        }
    }

    fn of(status: StepStatus) -> Self {
        match status {
            StepStatus::Running => Self::Running,
            StepStatus::Waiting => Self::Waiting,
            StepStatus::Succeeded => Self::Succeeded,
            StepStatus::Failed => Self::Failed,
            StepStatus::Skipped => Self::Skipped,
            StepStatus::Unknown => Self::Unknown,
        }
    }
}

impl Outcome {
    pub(super) fn of(steps: &[&Step], items: Option<Count>) -> Self {
        let run = || {
            steps
                .iter()
                .filter(|step| step.status != StepStatus::Skipped)
        };
        let results = run().filter_map(|step| step.result.as_ref());
        let durations: Vec<i64> = results.map(|result| result.duration_ms).collect();
        let attempts = run().map(|step| step.intent.attempt);
        let is_repeated = steps.iter().any(|step| step.iteration.contains('.'));
        let iterations = || Count::of(steps.iter().map(|step| step.status));
        Self {
            state: state(steps),
            duration_ms: (!durations.is_empty()).then(|| durations.iter().sum()),
            attempts: attempts.max().unwrap_or_default(),
            count: items.or_else(|| is_repeated.then(iterations)),
        }
    }
}

impl Count {
    fn of(statuses: impl Iterator<Item = StepStatus>) -> Self {
        let mut count = Self::default();
        for status in statuses {
            match status {
                StepStatus::Succeeded => count.done += 1,
                StepStatus::Failed | StepStatus::Unknown => count.failed += 1,
                StepStatus::Running | StepStatus::Waiting => count.open += 1,
                StepStatus::Skipped => {}
            }
        }
        count
    }
}

/// The steps of each of these nodes.
pub(super) fn by_node<'a>(steps: &'a [Step], ids: &[&str]) -> Vec<Vec<&'a Step>> {
    let mut found: HashMap<&str, Vec<&Step>> = HashMap::new();
    // The moves of an agent's turn are a part of what its own step tells.
    for step in steps.iter().filter(|step| !step.is_move()) {
        found.entry(&step.node_id).or_default().push(step);
    }
    let of = |id: &&str| found.remove(*id).unwrap_or_default();
    ids.iter().map(of).collect()
}

/// What is under way counts more than what has ended, and a failure more than a success.
fn state(steps: &[&Step]) -> State {
    let order = [
        State::Running,
        State::Waiting,
        State::Unknown,
        State::Failed,
        State::Succeeded,
        State::Skipped,
    ];
    let mut order = order.into_iter();
    let is_there = |state: &State| steps.iter().any(|step| State::of(step.status) == *state);
    order.find(is_there).unwrap_or(State::Pending)
}
