//! Copies of the bodies in the bucket: an object goes with the run that it belongs to.

use std::collections::HashMap;

use futures::future::try_join_all;
use serde_json::Value;
use shared::{
    ids::ExecutionId,
    models::{ExecutionError, Step, StoredBody},
    retry::{Policy, Transient, retry},
    storage::{self, Bucket},
};

use crate::{
    journal::Error,
    run::{Run, error},
};

/// Bodies that are copied side by side: each may have 10 MB, and is held in memory.
const AT_ONCE: usize = 4;

/// A body of the earlier run, and the object of this run that is to hold the same.
struct Copy {
    node_id: String,
    from: StoredBody,
    to: String,
}

impl Run<'_> {
    /// Copies the bodies that these steps of `earlier` have kept, and has the steps refer to the
    /// copies. A worker that comes after a crash finds what has been copied before.
    pub(super) async fn copy_bodies(
        &mut self,
        earlier: &ExecutionId,
        steps: &mut [Step],
    ) -> Result<Result<(), ExecutionError>, Error> {
        let ours = &self.journal.execution().id;
        let copies = steps
            .iter()
            .filter_map(|step| Copy::of(step, earlier, ours));
        let copies: Vec<Copy> = copies.collect();
        if copies.is_empty() {
            return Ok(Ok(()));
        }
        let bucket = self.state.artifacts.as_deref();
        for batch in copies.chunks(AT_ONCE) {
            let made = try_join_all(batch.iter().map(|copy| copy.make(bucket)));
            if let Err(error) = made.await {
                return Ok(Err(error));
            }
            // Many take longer than a lease.
            self.journal.renew().await?;
        }
        let names = copies.into_iter().map(|copy| (copy.from.object, copy.to));
        let names: HashMap<String, String> = names.collect();
        let results = steps.iter_mut().filter_map(|step| step.result.as_mut());
        results.for_each(|result| rename(&mut result.output.0, &names));
        Ok(Ok(()))
    }
}

impl Copy {
    fn of(step: &Step, earlier: &ExecutionId, ours: &ExecutionId) -> Option<Self> {
        let (node_id, iteration) = (&step.node_id, &step.iteration);
        Some(Self {
            from: StoredBody::of_step(earlier, step)?,
            to: StoredBody::object_of(&step.org_id, ours, node_id, iteration),
            node_id: node_id.clone(),
        })
    }

    async fn make(&self, bucket: Option<&dyn Bucket>) -> Result<(), ExecutionError> {
        let Some(bucket) = bucket else {
            return Err(self.failure("failed_precondition", "`ARTIFACTS_BUCKET` names no place"));
        };
        let read = async || bucket.read(&self.from.object).await;
        let content = retry(Policy::REMOTE_CALL, read).await;
        let content = content.map_err(|error| self.failed(&error))?;
        let content = content.ok_or_else(|| self.failure("not_found", "it is gone"))?;
        if !self.from.matches(&content) {
            return Err(self.failure("failed_precondition", "it is damaged"));
        }
        let create = async || bucket.create(&self.to, content.clone()).await;
        let created = retry(Policy::REMOTE_CALL, create).await;
        created.map(|_| ()).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &storage::Error) -> ExecutionError {
        tracing::warn!(error = error as &dyn std::error::Error, "the bucket failed");
        let code = match error.is_transient() {
            true => "unavailable",
            false => "failed_precondition",
        };
        self.failure(code, &error.to_string())
    }

    fn failure(&self, code: &str, reason: &str) -> ExecutionError {
        let message = format!("the stored body of the earlier run cannot be taken over: {reason}");
        error(code, message, Some(&self.node_id))
    }
}

/// Gives objects their new names wherever an output has them: loops, transforms and others hand on
/// what they were given.
fn rename(output: &mut Value, names: &HashMap<String, String>) {
    match output {
        Value::String(text) => {
            if let Some(name) = names.get(text) {
                text.clone_from(name);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, names)),
        Value::Object(fields) => fields.values_mut().for_each(|field| rename(field, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
