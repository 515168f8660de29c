//! The queue that hands work to a service: at least once, at a given time, in no given order.

mod cloud_tasks;
mod config;

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use cloud_tasks::CloudTasks;
pub use config::{Access, QueueConfig, QueueVariables};

use crate::{
    ids::{ExecutionId, OrgId, RecordId},
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

/// One piece of work for a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// What this piece of work is called, and no other: a repeat of the name is made once, also
    /// while it is under way and for hours after it is done.
    pub name: String,
    /// What is to be done.
    pub work: Work,
    /// Not before this time; at once when absent. A queue that cannot look so far ahead delivers
    /// early, and takes the same name again for the rest of the time.
    pub due_at: Option<Timestamp>,
}

/// What a task is about. Each kind is delivered to a path of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// To go on with an execution: `/continue`.
    Continue(Continuation),
    /// To act on an event of Stripe: `/events/process`.
    StripeEvent(StripeEventTask),
    /// To go on with comparing tiers with what Stripe says: `/reconcile`.
    TierReconcile(TierReconcileTask),
    /// To go on with comparing usage with what Stripe has counted: `/reconcile-usage`.
    UsageReconcile(UsageReconcileTask),
}

impl Work {
    /// Where it is delivered, below the URL of the service.
    #[must_use]
    pub fn path(&self) -> &'static str {
        match self {
            Self::Continue(_) => "/continue",
            Self::StripeEvent(_) => "/events/process",
            Self::TierReconcile(_) => "/reconcile",
            Self::UsageReconcile(_) => "/reconcile-usage",
        }
    }

    /// The body of its delivery.
    ///
    /// # Errors
    /// Returns the error of the serializer.
    pub fn to_body(&self) -> Result<Vec<u8>, serde_json::Error> {
        match self {
            Self::Continue(continuation) => serde_json::to_vec(continuation),
            Self::StripeEvent(task) => serde_json::to_vec(task),
            Self::TierReconcile(task) => serde_json::to_vec(task),
            Self::UsageReconcile(task) => serde_json::to_vec(task),
        }
    }
}

/// The body of the request that has an execution go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Continuation {
    /// Whose execution.
    pub org_id: OrgId,
    /// Which one to go on with.
    pub execution_id: ExecutionId,
}

/// The body of the request that has an event of Stripe be acted on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StripeEventTask {
    /// Which event, as `stripe_events` keeps it.
    pub event_id: RecordId,
}

/// The body of the request that has a comparison of tiers go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TierReconcileTask {
    /// Which comparison.
    pub run_id: RecordId,
}

/// The body of the request that has a comparison of usage go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageReconcileTask {
    /// Which comparison.
    pub run_id: RecordId,
}

/// Something that delivers tasks until they are acknowledged.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Hands a task in. One whose name is known is there already, which is as good.
    async fn enqueue(&self, task: &Task) -> Result<(), Error>;
}

/// A queue that can be shared.
pub type SharedQueue = Arc<dyn Queue>;
