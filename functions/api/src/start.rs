//! Starting a workflow by writing a trigger, whose id becomes the execution's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::{
    ids::{ExecutionId, OrgId, TriggerId, Uid, WorkflowId},
    models::{
        ExecutionStatus, JsonText, Mock, Principal, StartOptions, Timestamp, Trigger,
        TriggerSource, TriggerType,
    },
    store::{self, Store},
    telemetry,
};

use crate::{
    CALLER, document_limits,
    error::{Error, Problem, Refusal},
    graph_check,
    idempotency::{Done, Once},
    workflows,
};

/// Longest payload of a trigger as JSON, in bytes, with the mocks if there are any: with input and
/// output an execution must fit into a document of 1 MiB
/// (<https://firebase.google.com/docs/firestore/quotas>).
const MAX_PAYLOAD_BYTES: usize = 256_000;

/// An execution that was asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Started {
    pub(crate) execution_id: ExecutionId,
    pub(crate) status: ExecutionStatus,
}

/// What a person starts.
pub(crate) struct Start<'a> {
    /// The workflow.
    pub(crate) workflow_id: &'a WorkflowId,
    /// What it works with.
    pub(crate) payload: &'a Value,
    /// What nodes come to without being run, by node.
    pub(crate) mocks: &'a BTreeMap<String, Mock>,
}

/// A trigger that has no id yet.
pub(crate) struct Draft<'a> {
    /// What kind of event it is.
    pub(crate) kind: TriggerType,
    /// The organization of the workflow.
    pub(crate) org_id: &'a OrgId,
    /// The workflow to start.
    pub(crate) workflow_id: &'a WorkflowId,
    /// Who starts it, if it is a person.
    pub(crate) uid: Option<&'a Uid>,
    /// What it works with.
    pub(crate) payload: JsonText,
    /// What is special about the run.
    pub(crate) options: StartOptions,
}

impl Started {
    pub(crate) fn by(trigger: &Trigger) -> Self {
        Self {
            execution_id: trigger.id.clone().into(),
            status: ExecutionStatus::Queued,
        }
    }
}

impl Draft<'_> {
    /// The trigger of this request; a repeat gives the same id.
    pub(crate) fn into_trigger(self, once: &Once, now: Timestamp) -> Trigger {
        let id = once.trigger_id().cloned();
        let id = id.unwrap_or_else(TriggerId::generate);
        Trigger {
            dedupe_key: id.to_string(),
            id,
            org_id: self.org_id.clone(),
            workflow_id: self.workflow_id.clone(),
            kind: self.kind,
            payload: self.payload,
            source: TriggerSource {
                function: CALLER.function.to_owned(),
                uid: self.uid.cloned(),
            },
            created_at: now,
            options: self.options,
            traceparent: telemetry::traceparent(),
        }
    }
}

/// Starts the workflow, for a person.
pub(crate) async fn start(
    store: &Store,
    principal: &Principal,
    once: &Once,
    start: &Start<'_>,
    now: Timestamp,
) -> Result<Done<Started>, Error> {
    let options = &options(start.mocks)?;
    require_fit(start.payload, options.mocks.as_ref())?;
    let is_same = |trigger: &Trigger| {
        trigger.workflow_id == *start.workflow_id
            && trigger.payload.0 == *start.payload
            && trigger.options == *options
    };
    if let Some(done) = find_started(store, &principal.org_id, once, is_same).await? {
        return Ok(done);
    }
    once.commit(store, || async move {
        let workflow = workflows::find(store, principal, start.workflow_id).await?;
        graph_check::check_start(&workflow.value, start.payload, start.mocks)?;
        let draft = Draft {
            kind: TriggerType::Manual,
            org_id: &principal.org_id,
            workflow_id: start.workflow_id,
            uid: Some(&principal.uid),
            payload: start.payload.clone().into(),
            options: options.clone(),
        };
        let trigger = draft.into_trigger(once, now);
        let started = Started::by(&trigger);
        Ok((vec![store::triggers::create(&trigger)?], started))
    })
    .await
}

/// What an earlier request under the same key has started, if that is the same.
pub(crate) async fn find_started(
    store: &Store,
    org_id: &OrgId,
    once: &Once,
    is_same: impl FnOnce(&Trigger) -> bool,
) -> Result<Option<Done<Started>>, Error> {
    let trigger = find_repeated(store, org_id, once, is_same).await?;
    Ok(trigger.map(|trigger| Done {
        value: Started::by(&trigger),
        is_replay: true,
    }))
}

/// The trigger that an earlier request under the same key has written, if that is the same: it stays
/// when the kept answer is gone.
pub(crate) async fn find_repeated(
    store: &Store,
    org_id: &OrgId,
    once: &Once,
    is_same: impl FnOnce(&Trigger) -> bool,
) -> Result<Option<Trigger>, Error> {
    let Some(id) = once.trigger_id() else {
        return Ok(None);
    };
    let found = store.find_trigger(org_id, id).await?;
    if found.as_ref().is_some_and(|trigger| !is_same(trigger)) {
        return Err(Refusal::KEY_REUSED.into());
    }
    Ok(found)
}

fn options(mocks: &BTreeMap<String, Mock>) -> Result<StartOptions, Error> {
    let mocks = match mocks.is_empty() {
        true => None,
        false => Some(serde_json::to_value(mocks)?.into()),
    };
    Ok(StartOptions { mocks, rerun: None })
}

fn require_fit(payload: &Value, mocks: Option<&JsonText>) -> Result<(), Error> {
    require_depth("payload", payload)?;
    let payload = payload.to_string().len();
    let mocks = mocks.map_or(0, |mocks| mocks.0.to_string().len());
    let problem = if payload > MAX_PAYLOAD_BYTES {
        let message = format!("must be at most {MAX_PAYLOAD_BYTES} bytes as JSON");
        Problem::new("payload", message)
    } else if payload + mocks > MAX_PAYLOAD_BYTES {
        let message = format!("must be at most {MAX_PAYLOAD_BYTES} bytes with the payload as JSON");
        Problem::new("mocks", message)
    } else {
        return Ok(());
    };
    Err(Error::Invalid(vec![problem]))
}

/// Refuses what no run could take over.
pub(crate) fn require_depth(field: &str, payload: &Value) -> Result<(), Error> {
    match document_limits::depth_problem(field, payload) {
        None => Ok(()),
        Some(problem) => Err(Error::Invalid(vec![problem])),
    }
}
