use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::form::{self, FieldType};
use crate::{
    graph::{
        Invalid,
        fields::Fields,
        schema::{self, Settings},
    },
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

    pub(super) fn schema() -> Settings {
        let form = form::schema("What an approver has to fill in, with the types.");
        let roles = schema::choices(&["admin", "user"], "Who may decide.");
        let about = "Approvals by different people that it takes.";
        let required = schema::integer(1..=MAX_REQUIRED, about);
        let about = "Time to decide; at its end, the handle `expired` is followed.";
        let expiry = schema::integer(MIN_EXPIRY_SECS..=MAX_EXPIRY_SECS, about);
        let about = "Whether the one who started the run may decide.";
        Settings::new("Approval", "Asks people, and waits for them.")
            .required("message", schema::text("What is asked."))
            .optional("fields", form)
            .optional("roles", schema::with_default(roles, ["admin"]))
            .optional("required", schema::with_default(required, 1))
            .optional("allowSelf", schema::flag(about))
            .optional("expiresAfterSecs", expiry)
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
