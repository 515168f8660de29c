use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header::ALLOW};
use serde_json::{Value, json};
use shared::{
    events::{CloudEvent, Document, DocumentEvent, callable},
    http::{
        Allowed, ApiError, CallableError, Code, FieldProblem, RawBody, ServiceCaller, can, give_up,
    },
    ids::{AgentId, OrgId},
    models::Agent,
    store,
};

use crate::{
    AppState, CALLER,
    deploy::{self, deploy},
    request::{DeployRequest, Problem},
    sweep, watch,
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
    let agent = deploy(&state, &principal, &request, state.now()).await?;
    Ok(Json(callable::result(describe(&agent))))
}

/// Handles a write on `agents/{id}`. The agent is read anew, so a repeat and an event that comes
/// late find nothing left to do.
///
/// Eventarc never sends a malformed envelope, so that is refused. Data that can never be
/// understood is acknowledged and recorded: refused, it would come back until Eventarc gives up.
pub(crate) async fn handle_document_written(
    _: ServiceCaller,
    State(state): State<AppState>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<StatusCode, ApiError> {
    let event = CloudEvent::parse(&headers, body)?;
    let failure = match parse(&event) {
        Ok(None) => return Ok(StatusCode::NO_CONTENT),
        Ok(Some((org_id, id))) => match watch::follow(&state, &org_id, &id).await {
            Ok(()) => return Ok(StatusCode::NO_CONTENT),
            Err(error) if error.is_passing() => return Err(ApiError::unavailable(&error)),
            Err(error) => error.to_string(),
        },
        Err(failure) => failure,
    };
    give_up(&state.store, &CALLER, &event, failure, state.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Handles the minute's tick of the sweeper, and survives a repeat.
pub(crate) async fn handle_sweep(
    _: ServiceCaller,
    State(state): State<AppState>,
) -> Result<Json<Value>, ApiError> {
    let advanced = sweep::go_on(&state).await?;
    Ok(Json(json!({ "advanced": advanced })))
}

/// The agent that a write concerns, if it concerns where the agent runs.
fn parse(event: &CloudEvent) -> Result<Option<(OrgId, AgentId)>, String> {
    let event = DocumentEvent::parse(event).map_err(|error| error.to_string())?;
    let Some(("agents", id)) = event.path.split_once('/') else {
        return Err("the document is no agent".to_owned());
    };
    let new = event.value.map(decode_agent).transpose()?;
    // What was there before may be of an older form, or spoilt.
    let old = event.old_value.and_then(|old| decode_agent(old).ok());
    if !watch::concerns(old.as_ref(), new.as_ref()) {
        return Ok(None);
    }
    let Some(agent) = new.or(old) else {
        return Ok(None);
    };
    match agent.id.as_str() == id {
        true => Ok(Some((agent.org_id, agent.id))),
        false => Err("the document is no agent".to_owned()),
    }
}

fn decode_agent(document: Document) -> Result<Agent, String> {
    let document = store::document_from_wire(document).ok_or("the document has no name")?;
    store::decode(&document).map_err(|error| error.to_string())
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
            deploy::Error::Archived
            | deploy::Error::Training
            | deploy::Error::MemoryDepth
            | deploy::Error::NoContainers
            | deploy::Error::Failed(_) => {
                ApiError::new(Code::FailedPrecondition, error.to_string())
            }
            deploy::Error::Quota(error) => error.into(),
            deploy::Error::Audit(error) => error.into(),
            deploy::Error::Store(error) => error.into(),
        };
        error.into()
    }
}
