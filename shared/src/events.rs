//! What reaches a function from outside: CloudEvents, Pub/Sub pushes and Firebase callables, as
//! typed values.

mod auth_user;
pub mod callable;
mod cloud_event;
mod firestore;
mod json;
mod pubsub;

pub use auth_user::{USER_CREATED, UserCreated};
pub use cloud_event::CloudEvent;
pub use firestore::{DOCUMENT_WRITTEN, Document, DocumentEvent, Value, encode_written};
pub use pubsub::PushMessage;

/// What is wrong with a request. Sending it again does not help.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something that must be there is not.
    #[error("`{0}` is missing")]
    Missing(String),
    /// Something has a value that cannot be used.
    #[error("`{field}` is invalid: expected {expected}")]
    Invalid {
        /// A header, or the path of a member of the body.
        field: String,
        /// What would do.
        expected: &'static str,
    },
    /// Something is there that must not be.
    #[error("`{0}` is not expected here")]
    Unexpected(String),
    /// The body is not JSON.
    #[error("the body is not JSON")]
    Json(#[source] serde_json::Error),
    /// The body is not the protobuf message that its headers promise.
    #[error("the body is not a protobuf message of the expected type")]
    Protobuf(#[source] prost::DecodeError),
}

impl Error {
    /// The header, or the path of the member of the body, that is wrong.
    #[must_use]
    pub fn field(&self) -> &str {
        match self {
            Self::Missing(field) | Self::Unexpected(field) | Self::Invalid { field, .. } => field,
            Self::Json(_) | Self::Protobuf(_) => "body",
        }
    }

    fn invalid(field: impl Into<String>, expected: &'static str) -> Self {
        Self::Invalid {
            field: field.into(),
            expected,
        }
    }
}
