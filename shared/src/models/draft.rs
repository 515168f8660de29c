use serde::{Deserialize, Serialize};

use crate::ids::OrgId;

/// `executions/{id}/drafts/{nodeId#iteration}`: what a model has said so far, while it goes on. It is
/// for those who watch, and good for nothing else: the journal has the whole answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Draft {
    /// The node that asks.
    pub node_id: String,
    /// As in [`super::Step::iteration`].
    pub iteration: String,
    /// The answer so far.
    pub text: String,
    /// The organization of the execution.
    pub org_id: OrgId,
}
