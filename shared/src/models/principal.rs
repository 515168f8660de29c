use serde::{Deserialize, Serialize};

use crate::ids::{OrgId, Uid};

/// What a user may do in the organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything, members and billing included.
    Admin,
    /// Builds and runs agents and workflows.
    User,
    /// Reads.
    Viewer,
}

/// A verified caller: who, in which organization, as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The user.
    pub uid: Uid,
    /// The user's organization: the tenant of every query made for this caller.
    pub org_id: OrgId,
    /// The user's role in it.
    pub role: Role,
}

/// A function acting on its own behalf, across organizations: sweeping, scheduling, billing.
///
/// Queries that cross tenants take it, so that none does so by accident.
#[derive(Clone, Copy, Debug)]
pub struct SystemPrincipal {
    /// The function's name.
    pub function: &'static str,
}

impl SystemPrincipal {
    /// The actor written into audit records, `system:<function>`.
    #[must_use]
    pub fn actor_id(&self) -> String {
        format!("system:{}", self.function)
    }
}
