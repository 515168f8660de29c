//! The only part that knows HTTP: decode, call, map.

mod agents;
mod analytics;
mod answer;
mod etag;
mod executions;
mod idempotency_key;
mod integrations;
mod optional_json;
mod organization;
mod patch;
mod workflows;

use axum::{
    Router,
    routing::{get, post},
};
use shared::http::{ApiError, Code, FieldProblem};

use crate::{AppState, error::Error};

/// Where all routes begin.
pub(crate) const PREFIX: &str = "/api/v1";

/// Every route of the API, below [`PREFIX`].
pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/me", get(organization::get_me))
        .route("/organization", get(organization::get_organization))
        .merge(agent_routes())
        .merge(workflow_routes())
        .merge(execution_routes())
        .route(
            "/integrations/google/auth",
            post(integrations::begin_google_consent),
        )
        .route("/analytics/usage", get(analytics::get_usage))
}

fn agent_routes() -> Router<AppState> {
    Router::new()
        .route(
            "/agents",
            get(agents::list_agents).post(agents::create_agent),
        )
        .route("/agents/create", post(agents::create_agent))
        .route(
            "/agents/{id}",
            get(agents::get_agent)
                .patch(agents::update_agent)
                .delete(agents::delete_agent),
        )
        .route("/agents/{id}/status", get(agents::get_agent_status))
}

fn workflow_routes() -> Router<AppState> {
    Router::new()
        .route(
            "/workflows",
            get(workflows::list_workflows).post(workflows::create_workflow),
        )
        .route(
            "/workflows/{id}",
            get(workflows::get_workflow)
                .put(workflows::replace_workflow)
                .patch(workflows::update_workflow)
                .delete(workflows::delete_workflow),
        )
        .route(
            "/workflows/trigger/{id}",
            post(executions::trigger_workflow),
        )
}

fn execution_routes() -> Router<AppState> {
    Router::new()
        .route(
            "/executions",
            get(executions::list_executions).post(executions::create_execution),
        )
        .route(
            "/executions/{id}",
            get(executions::get_execution)
                .patch(executions::update_execution)
                .delete(executions::delete_execution),
        )
        .route("/executions/{id}/steps", get(executions::list_steps))
        .route("/executions/{id}/logs", get(executions::list_log_lines))
}

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
            Error::KeyReused => Self::new(
                Code::AlreadyExists,
                "this `Idempotency-Key` was used for another request",
            ),
            Error::Quota(error) => error.into(),
            Error::Audit(error) => error.into(),
            Error::Store(error) => error.into(),
            Error::Answer(_) | Error::ConsentUrl(_) => Self::internal(&error),
        }
    }
}
