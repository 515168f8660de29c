use serde::{Deserialize, Serialize};

use crate::ids::{OrgId, Uid};

/// What a user may do in the organization. A role may do all that one below it may:
/// `Viewer < User < Admin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Builds and runs agents and workflows.
    User,
    /// Everything, members and billing included.
    Admin,
}

impl Role {
    /// The stored name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::User => "user",
            Self::Admin => "admin",
        }
    }
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
