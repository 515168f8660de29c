//! `approval`: people decide. The run sleeps until enough of them have, or the time is over. What
//! other nodes must not do on their own is asked in the same way.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::{Value, json};
use shared::{
    graph::{ApprovalData, ApproverRole, Approvers, handle},
    ids::{RecordId, Uid, fingerprint},
    inputs::Bindings,
    models::{
        Approval, ApprovalStatus, AskedAccount, AskedAction, Decision, Execution, Role, Timestamp,
        TriggerType,
    },
    store::{Error, Versioned, Write, approvals, commit_contended},
};

use super::{Call, Effect, Failure, Outcome, Prepared, Stop};
use crate::AppState;

/// What is asked, with its expressions resolved.
#[derive(Clone)]
pub(super) struct Question {
    message: String,
    fields: BTreeMap<String, String>,
    action: Option<AskedAction>,
    approvers: Approvers,
}

pub(super) fn prepare(data: &ApprovalData, bindings: &Bindings) -> Result<Prepared, Failure> {
    let fields = data.fields.iter();
    let fields = fields.map(|(name, kind)| (name.clone(), kind.as_str().to_owned()));
    Ok(Prepared::Effect(Box::new(Question {
        message: data.message.render_text(bindings)?,
        fields: fields.collect(),
        action: None,
        approvers: data.approvers.clone(),
    })))
}

#[async_trait]
impl Effect for Question {
    fn request_hash(&self) -> String {
        fingerprint(&["approval", &self.message])
    }

    async fn perform(&self, state: &AppState, call: &Call) -> Result<Outcome, Stop> {
        let approval = self.decide(state, call).await?;
        let decided = |handle| {
            let output = json!({
                "decision": handle,
                "approvals": approval.decisions.iter().filter(|one| one.approves).count(),
                "values": approval.decisions.last().map(|last| &last.values.0),
                "decisions": approval.decisions.iter().map(shown).collect::<Vec<_>>(),
            });
            Ok(Outcome::at(handle, output))
        };
        match approval.status {
            ApprovalStatus::Approved => decided(handle::APPROVED),
            ApprovalStatus::Rejected => decided(handle::REJECTED),
            ApprovalStatus::Expired => decided(handle::EXPIRED),
            ApprovalStatus::Pending => Err(Stop::Pending(approval.expires_at)),
            ApprovalStatus::Cancelled => Err(withdrawn().into()),
        }
    }
}

impl Question {
    /// Asks whether an action may be carried out.
    pub(super) fn about(title: &str, action: AskedAction, approvers: Approvers) -> Self {
        Self {
            message: title.to_owned(),
            fields: BTreeMap::new(),
            action: Some(action),
            approvers,
        }
    }

    /// Tells with whose account the action is done.
    pub(super) fn with(mut self, account: Option<AskedAccount>) -> Self {
        if let Some(action) = &mut self.action {
            action.account = account;
        }
        self
    }

    /// Asks, unless it has asked before, and looks whether there is a decision.
    pub(super) async fn decide(&self, state: &AppState, call: &Call) -> Result<Approval, Error> {
        commit_contended(&state.store, || self.ask(state, call)).await
    }

    async fn ask(&self, state: &AppState, call: &Call) -> Result<(Vec<Write>, Approval), Error> {
        let execution = &call.execution;
        let id = Approval::id_of(&execution.id, &call.node_id, &call.iteration);
        let now = Timestamp::from(state.clock.now());
        match state.store.find_approval(&execution.org_id, &id).await? {
            Some(found) => expire(found, now),
            None => {
                require_held(state, execution).await?;
                let excluded = match self.approvers.allow_self {
                    true => None,
                    false => starter(state, execution).await?,
                };
                let approval = self.approval(call, id, excluded.as_ref(), now);
                Ok((vec![approvals::create(&approval)?], approval))
            }
        }
    }

    fn approval(
        &self,
        call: &Call,
        id: RecordId,
        excluded: Option<&Uid>,
        now: Timestamp,
    ) -> Approval {
        let (execution, approvers) = (&call.execution, &self.approvers);
        let (roles, expiry) = (approvers.roles.iter(), approvers.expires_after_secs);
        Approval {
            excluded: excluded.map(|uid| Approval::decider(&id, uid)),
            id,
            org_id: execution.org_id.clone(),
            workflow_id: execution.workflow_id.clone(),
            execution_id: execution.id.clone(),
            node_id: call.node_id.clone(),
            iteration: call.iteration.clone(),
            message: self.message.clone(),
            fields: self.fields.clone(),
            action: self.action.clone(),
            roles: roles.map(|role| role_of(*role)).collect(),
            required: approvers.required.into(),
            status: ApprovalStatus::Pending,
            decisions: Vec::new(),
            created_at: now,
            expires_at: expiry.map(|seconds| now.plus_seconds(seconds.into())),
        }
    }
}

/// The run has ended before anybody decided.
pub(super) fn withdrawn() -> Failure {
    Failure::permanent("cancelled", "the approval was withdrawn")
}

/// Whether people were asked.
pub(super) async fn is_asked(state: &AppState, call: &Call) -> Result<bool, Error> {
    Ok(find(state, call).await?.is_some())
}

/// Withdraws what people were asked and have not decided.
pub(super) async fn withdraw(state: &AppState, call: &Call) -> Result<(), Error> {
    commit_contended(&state.store, || async move {
        let found = find(state, call).await?;
        let pending = found.filter(|found| found.value.status == ApprovalStatus::Pending);
        let Some(mut approval) = pending else {
            return Ok::<_, Error>((Vec::new(), ()));
        };
        approval.value.status = ApprovalStatus::Cancelled;
        Ok((vec![approvals::replace(&approval)?], ()))
    })
    .await
}

async fn find(state: &AppState, call: &Call) -> Result<Option<Versioned<Approval>>, Error> {
    let execution = &call.execution;
    let id = Approval::id_of(&execution.id, &call.node_id, &call.iteration);
    state.store.find_approval(&execution.org_id, &id).await
}

/// Nobody is asked for a run that is over, or that another worker has taken over.
async fn require_held(state: &AppState, execution: &Execution) -> Result<(), Error> {
    let found = state
        .store
        .find_execution(&execution.org_id, &execution.id)
        .await?;
    let is_held = found.is_some_and(|found| found.value.lease.fence == execution.lease.fence);
    is_held.then_some(()).ok_or(Error::Conflict)
}

/// Ends an approval whose time is over.
fn expire(
    mut approval: Versioned<Approval>,
    now: Timestamp,
) -> Result<(Vec<Write>, Approval), Error> {
    let is_over = approval.value.expires_at.is_some_and(|end| end <= now);
    if approval.value.status != ApprovalStatus::Pending || !is_over {
        return Ok((Vec::new(), approval.value));
    }
    approval.value.status = ApprovalStatus::Expired;
    Ok((vec![approvals::replace(&approval)?], approval.value))
}

/// A decision without who took it.
fn shown(decision: &Decision) -> Value {
    json!({
        "approves": decision.approves,
        "values": decision.values.0,
        "comment": decision.comment,
    })
}

/// What started a run, or the one that it is a part of.
pub(super) struct Root {
    pub(super) kind: TriggerType,
    /// The person, if it was one and still has an account.
    pub(super) uid: Option<Uid>,
}

/// What started the run; none when that is not known any more.
pub(super) async fn root(state: &AppState, execution: &Execution) -> Result<Option<Root>, Error> {
    let (store, org_id) = (&state.store, &execution.org_id);
    let mut first = execution.clone();
    while let Some(parent) = &first.parent {
        match store.find_execution(org_id, &parent.execution_id).await? {
            Some(found) => first = found.value,
            None => return Ok(None),
        }
    }
    let trigger = store.find_trigger(org_id, &first.trigger.id).await?;
    Ok(trigger.map(|trigger| Root {
        kind: trigger.kind,
        uid: trigger.source.uid,
    }))
}

/// Who started the run, or the one that it is a part of; none for a clock or another service.
pub(super) async fn starter(state: &AppState, execution: &Execution) -> Result<Option<Uid>, Error> {
    Ok(root(state, execution).await?.and_then(|root| root.uid))
}

fn role_of(role: ApproverRole) -> Role {
    match role {
        ApproverRole::Admin => Role::Admin,
        ApproverRole::User => Role::User,
    }
}
