use serde::{Deserialize, Serialize};

use super::Step;
use crate::ids::OrgId;

/// `executions/{id}/steps/{page}`: steps that began and ended between two commits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepPage {
    /// The organization of the workflow.
    pub org_id: OrgId,
    /// The steps, as JSON text.
    #[serde(with = "super::json_text::list")]
    pub page: Vec<Step>,
}
