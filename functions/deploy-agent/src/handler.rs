use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header::ALLOW};
use serde_json::{Value, json};
use shared::{
    events::callable,
    http::{Allowed, ApiError, CallableError, Code, FieldProblem, can},
    models::Agent,
};

use crate::{
    AppState,
    deploy::{self, deploy},
    request::{DeployRequest, Problem},
};

/// Handles a call of `deployAgent`. A repeat with the same configuration changes nothing.
pub(crate) async fn deploy_agent(
    State(state): State<AppState>,
    caller: Result<Allowed<can::DeployAgent>, ApiError>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Refusal> {
    let principal = caller?.0;
    let request = decode(&headers, &body?)?;
    let now = state.clock.now().into();
    let agent = deploy(&state.store, &state.trail, &principal, &request, now).await?;
    Ok(Json(callable::result(describe(&agent))))
}

/// Answers every method but POST.
pub(crate) async fn refuse_method() -> Response {
    let error = ApiError::new(Code::InvalidArgument, "a callable is called with POST");
    let refusal = Refusal {
        error,
        status: Some(StatusCode::METHOD_NOT_ALLOWED),
    };
    ([(ALLOW, "POST")], refusal).into_response()
}

fn decode(headers: &HeaderMap, body: &[u8]) -> Result<DeployRequest, ApiError> {
    let data = callable::decode(headers, body)
        .map_err(|error| ApiError::invalid_field(error.field(), error.to_string()))?;
    DeployRequest::parse(data).map_err(|problems| {
        let problems = problems.into_iter();
        let to_field = |problem: Problem| FieldProblem {
            field: problem.field,
            message: problem.message,
        };
        ApiError::invalid(problems.map(to_field).collect())
    })
}

fn describe(agent: &Agent) -> Value {
    json!({
        "agentId": agent.id,
        "status": agent.status,
        "deployState": agent.deploy_state,
        "runtime": agent.runtime,
    })
}

/// A refusal in the envelope of callables; its status may differ from the code's.
#[derive(Debug)]
pub(crate) struct Refusal {
    error: ApiError,
    status: Option<StatusCode>,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = CallableError(self.error).into_response();
        *response.status_mut() = self.status.unwrap_or(response.status());
        response
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self {
            error,
            status: None,
        }
    }
}

impl From<BytesRejection> for Refusal {
    fn from(rejection: BytesRejection) -> Self {
        let error = ApiError::invalid_field("body", "is too large or cannot be read");
        Self {
            error,
            status: Some(rejection.status()),
        }
    }
}

impl From<deploy::Error> for Refusal {
    fn from(error: deploy::Error) -> Self {
        let error = match error {
            deploy::Error::UnknownAgent => ApiError::not_found("agent"),
            deploy::Error::Archived | deploy::Error::MemoryDepth => {
                ApiError::new(Code::FailedPrecondition, error.to_string())
            }
            deploy::Error::Quota(error) => error.into(),
            deploy::Error::Audit(error) => error.into(),
            deploy::Error::Store(error) => error.into(),
        };
        error.into()
    }
}
