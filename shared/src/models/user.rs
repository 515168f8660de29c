use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Role, Timestamp};
use crate::ids::{OrgId, Uid};

/// A user's preferences. Clients write them, so any key may be there.
pub type UserSettings = BTreeMap<String, serde_json::Value>;

/// `users/{uid}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Firebase Authentication uid, equal to the document id.
    pub uid: Uid,
    /// E-mail address in lower case; absent for accounts without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Role in the organization.
    pub role: Role,
    /// The one organization the user belongs to.
    pub organization_id: OrgId,
    /// When the document was made.
    pub created_at: Timestamp,
    /// Preferences, the only part that the user may write.
    #[serde(default, with = "super::free_json::map")]
    pub settings: UserSettings,
    /// Whether the user is locked out.
    #[serde(default)]
    pub disabled: bool,
}
