//! Catching a call at a chosen moment.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::Call;

/// When a trap springs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The call has come and has done nothing.
    BeforeEffect,
    /// The effect is done and the answer not sent.
    AfterEffect,
}

/// Which call to catch.
#[derive(Clone, Debug)]
pub struct Trap {
    /// When.
    pub moment: Moment,
    /// Whose.
    pub of: Caller,
}

/// Who calls.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Any node that this worker runs.
    Worker(usize),
    /// A node of an execution, whoever runs it.
    Node {
        /// The execution.
        execution: String,
        /// The node.
        node: &'static str,
    },
}

impl Trap {
    fn fits(&self, call: &Call, moment: Moment) -> bool {
        let is_caller = match &self.of {
            Caller::Worker(worker) => *worker == call.worker,
            Caller::Node { execution, node } => *execution == call.execution && *node == call.node,
        };
        is_caller && self.moment == moment
    }
}

/// A call that was caught. It goes on when this is dropped.
#[derive(Debug)]
pub struct Sprung {
    /// The worker that waits for the answer.
    pub worker: usize,
    _release: oneshot::Sender<()>,
}

/// Traps that wait for their call.
#[derive(Debug, Default)]
pub(super) struct Traps {
    set: Mutex<Vec<(Trap, oneshot::Sender<Sprung>)>>,
}

impl Traps {
    pub(super) fn set(&self, trap: Trap) -> oneshot::Receiver<Sprung> {
        let (sender, receiver) = oneshot::channel();
        self.lock().push((trap, sender));
        receiver
    }

    /// Holds the call for as long as whoever set a trap for it wants; tells whether there was one.
    pub(super) async fn spring(&self, call: &Call, moment: Moment) -> bool {
        let Some(sender) = self.take(call, moment) else {
            return false;
        };
        let (release, released) = oneshot::channel();
        let sprung = Sprung {
            worker: call.worker,
            _release: release,
        };
        if sender.send(sprung).is_ok() {
            // Ends with an error when the other half is dropped, which is what releases it.
            let _ = released.await;
        }
        true
    }

    fn take(&self, call: &Call, moment: Moment) -> Option<oneshot::Sender<Sprung>> {
        let mut set = self.lock();
        set.retain(|(_, sender)| !sender.is_closed());
        let index = set.iter().position(|(trap, _)| trap.fits(call, moment))?;
        Some(set.swap_remove(index).1)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Trap, oneshot::Sender<Sprung>)>> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
