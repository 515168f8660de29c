use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::graph::{
    fields::Fields,
    schema::{self, Settings},
};

const MAX_REQUIRED: u32 = 10;
const MIN_EXPIRY_SECS: u32 = 60;
/// 30 days.
const MAX_EXPIRY_SECS: u32 = 2_592_000;

/// Who decides, and by when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approvers {
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

impl Approvers {
    /// One admin, without an end.
    #[must_use]
    pub fn one_admin(allow_self: bool) -> Self {
        Self {
            roles: vec![ApproverRole::Admin],
            required: 1,
            allow_self,
            expires_after_secs: None,
        }
    }

    pub(super) fn read(fields: &mut Fields<'_>, allow_self: bool) -> Self {
        let default = Self::one_admin(allow_self);
        let expiry = MIN_EXPIRY_SECS..=MAX_EXPIRY_SECS;
        Self {
            roles: read_roles(fields).unwrap_or(default.roles),
            required: fields
                .within("required", 1..=MAX_REQUIRED)
                .unwrap_or(default.required),
            allow_self: fields.optional("allowSelf").unwrap_or(allow_self),
            expires_after_secs: fields.within("expiresAfterSecs", expiry),
        }
    }

    /// The settings with those that [`Approvers::read`] reads.
    pub(super) fn describe(settings: Settings, allow_self: bool, at_expiry: &str) -> Settings {
        let roles = schema::choices(&["admin", "user"], "Who may decide.");
        let about = "Approvals by different people that it takes.";
        let required = schema::integer(1..=MAX_REQUIRED, about);
        let about = format!("Time to decide; at its end, {at_expiry}.");
        let expiry = schema::integer(MIN_EXPIRY_SECS..=MAX_EXPIRY_SECS, &about);
        let about = "Whether the one who started the run may decide.";
        let self_ = schema::with_default(schema::flag(about), allow_self);
        settings
            .optional("roles", schema::with_default(roles, ["admin"]))
            .optional("required", schema::with_default(required, 1))
            .optional("allowSelf", self_)
            .optional("expiresAfterSecs", expiry)
    }
}

fn read_roles(fields: &mut Fields<'_>) -> Option<Vec<ApproverRole>> {
    let roles: Vec<ApproverRole> = fields.optional("roles")?;
    let unique: HashSet<_> = roles.iter().collect();
    if roles.is_empty() {
        fields.refuse("roles", "must name a role");
    } else if unique.len() < roles.len() {
        fields.refuse("roles", "must name each role once");
    }
    Some(roles)
}
