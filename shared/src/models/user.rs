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
    /// Sessions that began before this second are over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_valid_after: Option<Timestamp>,
}

impl User {
    /// Whether a session that began at `auth_time` was ended, as Firebase compares: in seconds.
    #[must_use]
    pub fn has_ended(&self, auth_time: Timestamp) -> bool {
        let seconds = |time: Timestamp| time.instant().as_second();
        self.tokens_valid_after
            .is_some_and(|after| seconds(auth_time) < seconds(after))
    }
}

/// `deleted_users/{hash}`: an account that was deleted, under the hash of its uid.
///
/// Whoever still holds a valid token must not be made anew by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedUser {
    /// The uid, until nothing refers to it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
    /// How far the erasure has come.
    pub state: ErasureState,
    /// When the account was deleted.
    pub deleted_at: Timestamp,
    /// When the erasure is to go on, unless it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// When the record may go (TTL field); never while something may still refer to the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// How far an erasure has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErasureState {
    /// Something may still refer to the user.
    Pending,
    /// Nothing does.
    Done,
}
