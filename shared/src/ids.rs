//! Typed identifiers and the hashes that make repeats harmless.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Longest identifier accepted, in characters. Firebase uids are at most 128
/// (<https://firebase.google.com/docs/auth/admin/manage-users>), our own are shorter.
const MAX_LEN: usize = 128;

/// An identifier that cannot be part of a document path.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("an identifier has 1 to 128 characters that are safe in a document path")]
pub struct InvalidId;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $is_allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Accepts text that is safe as one segment of a document path.
            ///
            /// # Errors
            /// Returns [`InvalidId`] for an empty or long text, or one with another character.
            pub fn parse(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                if is_valid(&text, $is_allowed) { Ok(Self(text)) } else { Err(InvalidId) }
            }

            /// A new time-ordered identifier (UUIDv7).
            #[must_use]
            pub fn generate() -> Self {
                Self(new_uuid())
            }

            /// An identifier that the same `parts` always give, and other parts never.
            #[must_use]
            pub fn derive(parts: &[&str]) -> Self {
                Self(fingerprint(parts))
            }

            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

id! {
    /// A Firebase Authentication user. Whoever imports users chooses the characters, such as those
    /// of an e-mail address.
    Uid, is_uid
}
id! {
    /// An organization: the tenant.
    OrgId, is_plain
}
id! {
    /// An agent.
    AgentId, is_plain
}
id! {
    /// A workflow.
    WorkflowId, is_plain
}
id! {
    /// A fired trigger.
    TriggerId, is_plain
}
id! {
    /// One run of a workflow.
    ExecutionId, is_plain
}
id! {
    /// A connected outside service.
    IntegrationId, is_plain
}
id! {
    /// A document of server bookkeeping: audit record, outbox row, ledger row, processed event.
    RecordId, is_plain
}

id! {
    /// What an organization calls a route to models.
    RouteAlias, is_plain
}

/// An execution has the id of its trigger, so that a repeat of the event cannot make a second one.
impl From<TriggerId> for ExecutionId {
    fn from(id: TriggerId) -> Self {
        Self(id.0)
    }
}

/// SHA-256 over length-prefixed parts, as 64 hexadecimal digits: `["ab", "c"]` and `["a", "bc"]`
/// differ.
#[must_use]
pub fn fingerprint(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hex::encode(hasher.finalize())
}

/// A random token of 256 bits as 64 hexadecimal digits, for secrets such as OAuth states.
#[must_use]
pub fn random_token() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where identifiers are made"
)]
fn new_uuid() -> String {
    uuid::Uuid::now_v7().to_string()
}

fn is_valid(text: &str, is_allowed: fn(char) -> bool) -> bool {
    // Firestore reserves `.`, `..` and `__.*__` as document ids
    // (https://firebase.google.com/docs/firestore/quotas).
    let reserved = text == "." || text == ".." || (text.starts_with("__") && text.ends_with("__"));
    let length = text.chars().count();
    (1..=MAX_LEN).contains(&length) && text.chars().all(is_allowed) && !reserved
}

/// What our own identifiers are made of.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':')
}

fn is_uid(c: char) -> bool {
    c != '/' && !c.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_characters_are_refused() {
        for text in ["", "a/b", "..", ".", "__x__", "a b", "ä", &"x".repeat(129)] {
            assert_eq!(AgentId::parse(text), Err(InvalidId), "{text}");
        }
    }

    #[test]
    fn a_uid_may_have_any_characters_that_fit_in_a_path() {
        for text in ["ada@example.com", "a b", "用户", &"ä".repeat(128)] {
            assert!(Uid::parse(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "a/b",
            "..",
            ".",
            "__x__",
            "a\n",
            "a\0",
            &"ä".repeat(129),
        ] {
            assert_eq!(Uid::parse(text), Err(InvalidId), "{text:?}");
        }
    }

    #[test]
    fn part_boundaries_change_the_fingerprint() {
        assert_ne!(fingerprint(&["ab", "c"]), fingerprint(&["a", "bc"]));
        assert_eq!(fingerprint(&["ab", "c"]), fingerprint(&["ab", "c"]));
    }

    #[test]
    fn generated_identifiers_are_valid_and_distinct() {
        let (first, second) = (OrgId::generate(), OrgId::generate());
        assert_ne!(first, second);
        assert_eq!(OrgId::parse(first.as_str()), Ok(first));
    }
}
