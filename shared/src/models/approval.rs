use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{JsonText, Role, Timestamp};
use crate::ids::{ExecutionId, IntegrationId, OrgId, RecordId, Uid, WorkflowId, fingerprint};

/// `approvals/{id}`: a decision that a run waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// Equal to the document id.
    pub id: RecordId,
    /// The organization of the execution.
    pub org_id: OrgId,
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// The execution that waits.
    pub execution_id: ExecutionId,
    /// The node that waits.
    pub node_id: String,
    /// Which of the node's iterations.
    pub iteration: String,
    /// What is to be decided, for people.
    pub message: String,
    /// The form that goes with an approval: the type of each field, as in a trigger node.
    pub fields: BTreeMap<String, String>,
    /// What is done when it is approved, if that is an action of a connected service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<AskedAction>,
    /// Who may decide.
    pub roles: Vec<Role>,
    /// How many have to approve.
    pub required: i64,
    /// The [`Approval::decider`] who started the run, if that one must not decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded: Option<String>,
    /// How far it has come.
    pub status: ApprovalStatus,
    /// What has been decided so far, one by each person.
    pub decisions: Vec<Decision>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it ends without a decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl Approval {
    /// The id of the decision that a node's iteration waits for.
    #[must_use]
    pub fn id_of(execution_id: &ExecutionId, node_id: &str, iteration: &str) -> RecordId {
        RecordId::derive(&["approval", execution_id.as_str(), node_id, iteration])
    }

    /// Stands for a user in this approval only, so that nothing has to be erased here when the user
    /// goes; the audit trail tells who it was.
    #[must_use]
    pub fn decider(id: &RecordId, uid: &Uid) -> String {
        fingerprint(&["decider", id.as_str(), uid.as_str()])
    }
}

/// What an approval lets happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AskedAction {
    /// The action's name: `google.gmail.send`.
    pub name: String,
    /// What it is told, for people: what is long is cut.
    pub input: JsonText,
    /// A fingerprint of all that it is told.
    pub request_hash: String,
    /// With whose account it is done; none when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AskedAccount>,
}

/// The account that an action is done with, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AskedAccount {
    /// The integration.
    pub integration_id: IntegrationId,
    /// Which account, masked.
    pub label: String,
}

/// How far an approval has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalStatus {
    /// Not enough have decided.
    Pending,
    /// Enough have approved.
    Approved,
    /// One has rejected.
    Rejected,
    /// Nobody decided in time.
    Expired,
    /// The run ended before.
    Cancelled,
}

/// What one person decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// Who, as [`Approval::decider`] tells.
    pub decider: String,
    /// Whether for it.
    pub approves: bool,
    /// The form as it was filled in.
    pub values: JsonText,
    /// A word with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// `wakeups/{id}`: something that a waiting run has waited for has happened. Its creation is an
/// event that the engine handles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wakeup {
    /// Equal to the document id.
    pub id: RecordId,
    /// The organization of the execution.
    pub org_id: OrgId,
    /// The execution that waits.
    pub execution_id: ExecutionId,
    /// When it happened.
    pub created_at: Timestamp,
}
