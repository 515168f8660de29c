use std::sync::Mutex;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::lock;
use crate::{
    ids::{IntegrationId, OrgId},
    vault::{Actions, Call, Error},
};

type Script = dyn Fn(&ActionCall) -> Result<Value, Error> + Send + Sync;

/// Services that do what a test tells them to.
pub struct RecordingActions {
    script: Box<Script>,
    calls: Mutex<Vec<ActionCall>>,
}

/// What a service was asked to do.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionCall {
    /// The organization.
    pub org_id: OrgId,
    /// The integration, if one was named.
    pub integration_id: Option<IntegrationId>,
    /// The action's name.
    pub action: &'static str,
    /// What it was told.
    pub input: Value,
    /// Equal for every attempt.
    pub idempotency_key: String,
}

impl RecordingActions {
    /// Services whose answer depends on the call alone, for calls in any order.
    #[must_use]
    pub fn new(
        script: impl Fn(&ActionCall) -> Result<Value, Error> + Send + Sync + 'static,
    ) -> Self {
        Self {
            script: Box::new(script),
            calls: Mutex::default(),
        }
    }

    /// Services that do everything and tell that it is done.
    #[must_use]
    pub fn doing_all() -> Self {
        Self::new(|_| Ok(json!({ "done": true })))
    }

    /// The calls so far, oldest first, failed ones included.
    #[must_use]
    pub fn calls(&self) -> Vec<ActionCall> {
        lock(&self.calls).clone()
    }
}

#[async_trait]
impl Actions for RecordingActions {
    async fn perform(&self, call: &Call<'_>) -> Result<Value, Error> {
        let call = ActionCall {
            org_id: call.org_id.clone(),
            integration_id: call.integration_id.cloned(),
            action: call.action.name,
            input: call.input.clone(),
            idempotency_key: call.idempotency_key.to_owned(),
        };
        lock(&self.calls).push(call.clone());
        // Lets other tasks run, as a network call would.
        tokio::task::yield_now().await;
        (self.script)(&call)
    }
}
