use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::form::{self, FieldType};
use crate::{
    graph::{Invalid, fields::Fields},
    inputs::Template,
};

const MAX_REQUIRED: u32 = 10;
const MIN_EXPIRY_SECS: u32 = 60;
/// 30 days.
const MAX_EXPIRY_SECS: u32 = 2_592_000;

/// Settings of an approval.
#[derive(Clone, Debug)]
pub struct ApprovalData {
    /// What is asked.
    pub message: Template,
    /// What an approver has to fill in.
    pub fields: BTreeMap<String, FieldType>,
    /// Who may decide; at least one role.
    pub roles: Vec<ApproverRole>,
    /// Approvals by different people that it takes.
    pub required: u32,
    /// Whether the one who started the run may decide.
    pub allow_self: bool,
    /// Time to decide; without it, there is no end.
    pub expires_after_secs: Option<u32>,
}

/// A role that may decide, as in `users` documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApproverRole {
    /// Administers the organization.
    Admin,
    /// Any other member.
    User,
}

impl ApprovalData {
    /// Checks what an approver has filled in.
    ///
    /// # Errors
    /// Returns every field that is missing or has another type.
    pub fn check_form(&self, node_id: &str, form: &Value) -> Result<(), Invalid> {
        form::check(&self.fields, form, node_id, "form")
    }

    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let message = fields.text("message");
        let form = fields.optional("fields").unwrap_or_default();
        let roles = read_roles(fields);
        let required = fields.within("required", 1..=MAX_REQUIRED);
        let allow_self = fields.optional("allowSelf").unwrap_or_default();
        let expires_after_secs =
            fields.within("expiresAfterSecs", MIN_EXPIRY_SECS..=MAX_EXPIRY_SECS);
        Some(Self {
            message: message?,
            fields: form,
            roles,
            required: required.unwrap_or(1),
            allow_self,
            expires_after_secs,
        })
    }
}

fn read_roles(fields: &mut Fields<'_>) -> Vec<ApproverRole> {
    let roles: Option<Vec<ApproverRole>> = fields.optional("roles");
    let roles = roles.unwrap_or_else(|| vec![ApproverRole::Admin]);
    let unique: HashSet<_> = roles.iter().collect();
    if roles.is_empty() {
        fields.refuse("roles", "must name a role");
    } else if unique.len() < roles.len() {
        fields.refuse("roles", "must name each role once");
    }
    roles
}
