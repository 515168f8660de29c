//! The queue that hands work to a service: at least once, at a given time, in no given order.

mod cloud_tasks;
mod config;

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use cloud_tasks::CloudTasks;
pub use config::{Access, QueueConfig};

use crate::{
    ids::{ExecutionId, OrgId},
    models::Timestamp,
    retry::Transient,
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a task was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The queue cannot be reached or is overloaded; it may have taken the task.
    #[error("the queue is unavailable")]
    Unavailable(#[source] BoxError),
    /// The queue refuses the task for good: it is not there, or this service may not use it.
    #[error("the queue refused the task")]
    Refused(#[source] BoxError),
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// One piece of work for a service: to go on with an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// What this piece of work is called, and no other: a repeat of the name is made once, also
    /// while it is under way and for hours after it is done.
    pub name: String,
    /// Whose execution.
    pub org_id: OrgId,
    /// Which one.
    pub execution_id: ExecutionId,
    /// Not before this time; at once when absent. A queue that cannot look so far ahead delivers
    /// early, and takes the same name again for the rest of the time.
    pub due_at: Option<Timestamp>,
}

impl Task {
    /// What its delivery carries.
    #[must_use]
    pub fn continuation(&self) -> Continuation {
        Continuation {
            org_id: self.org_id.clone(),
            execution_id: self.execution_id.clone(),
        }
    }
}

/// The body of the request that delivers a [`Task`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Continuation {
    /// Whose execution.
    pub org_id: OrgId,
    /// Which one to go on with.
    pub execution_id: ExecutionId,
}

/// Something that delivers tasks until they are acknowledged.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Hands a task in. One whose name is known is there already, which is as good.
    async fn enqueue(&self, task: &Task) -> Result<(), Error>;
}

/// A queue that can be shared.
pub type SharedQueue = Arc<dyn Queue>;
