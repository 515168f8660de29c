//! What the logic's errors are over HTTP.

use http::StatusCode;
use shared::{
    http::{ApiError, Code, FieldProblem},
    retry::Transient,
};

use crate::{
    error::{Error, Refusal},
    integrations::Unfinished,
};

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound(what) => Self::not_found(what),
            Error::Invalid(problems) => {
                let problems = problems.into_iter().map(|problem| FieldProblem {
                    field: problem.field,
                    message: problem.message,
                });
                Self::invalid(problems.collect())
            }
            Error::Precondition(message) => Self::new(Code::FailedPrecondition, message),
            Error::Refused(refusal) => refusal.into(),
            Error::Quota(error) => error.into(),
            Error::Account(error) if error.is_transient() => Self::unavailable(&error),
            Error::Audit(error) => error.into(),
            Error::Store(error) => error.into(),
            Error::Dependency(error) if error.is_transient() => Self::unavailable(&error),
            Error::Account(_) | Error::Dependency(_) | Error::Form(_) => Self::internal(&error),
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied(message) => Self::new(Code::PermissionDenied, message),
            Refusal::AlreadyExists(message) => Self::new(Code::AlreadyExists, message),
            Refusal::Exhausted(message) => Self::new(Code::ResourceExhausted, message),
            Refusal::Unproven(message) => Self::new(Code::Unauthenticated, message),
            Refusal::Transition(message) => {
                Self::new(Code::FailedPrecondition, message).with_status(StatusCode::CONFLICT)
            }
        }
    }
}

impl From<Unfinished> for ApiError {
    fn from(unfinished: Unfinished) -> Self {
        let (reason, message) = (unfinished.reason(), unfinished.to_string());
        let error = match unfinished {
            Unfinished::InvalidState | Unfinished::Expired => Self::invalid_field("state", message),
            Unfinished::InvalidCode => Self::invalid_field("code", message),
            Unfinished::AccessDenied | Unfinished::NothingGranted | Unfinished::NoRefreshToken => {
                Self::new(Code::FailedPrecondition, message)
            }
            Unfinished::Failed(error) => error.into(),
        };
        match reason {
            Some(reason) => error.with_reason(reason),
            None => error,
        }
    }
}
