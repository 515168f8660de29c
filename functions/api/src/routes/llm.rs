//! Vision Cortex as OpenAI's API, for OpenAI's own clients.

mod room;
mod routes;

use axum::{
    Json as Body,
    extract::State,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{delete, get, post, put},
};
use futures::{Stream, StreamExt, stream};
use http::{HeaderMap, Method, header::CACHE_CONTROL};
use serde_json::{Value, json};
use shared::{
    auth::Action,
    http::{Allowed, ApiError, Json, can},
    ids::random_token,
    llm::ProviderName,
    models::Principal,
    quota::{Call, MeteredLlm, MeteredStream},
};

pub(crate) use self::room::{Room, hold_room};
use super::{Route, route};
use crate::{
    AppState,
    error::{Error, Problem},
    gateway::{Asked, Chunks, CompletionBody, EmbeddingsBody, completion, embeddings},
};

/// Tells that an answer was given before and kept.
const CACHE: &str = "x-infinityx-cache";

/// Where it is.
pub(super) const ROUTES: &[Route] = &[
    route(
        Method::POST,
        "/llm/chat/completions",
        Action::AskModels,
        || post(create_completion),
    ),
    route(Method::POST, "/llm/embeddings", Action::AskModels, || {
        post(create_embeddings)
    }),
    route(Method::GET, "/llm/models", Action::AskModels, || {
        get(list_models)
    }),
    route(Method::GET, "/llm/routes", Action::ReadLlmRoutes, || {
        get(routes::list_llm_routes)
    }),
    route(
        Method::PUT,
        "/llm/routes/{alias}",
        Action::EditLlmRoutes,
        || put(routes::set_llm_route),
    ),
    route(
        Method::DELETE,
        "/llm/routes/{alias}",
        Action::EditLlmRoutes,
        || delete(routes::delete_llm_route),
    ),
];

pub(super) async fn create_completion(
    State(state): State<AppState>,
    caller: Allowed<can::AskModels>,
    headers: HeaderMap,
    Json(body): Json<CompletionBody>,
) -> Result<Response, ApiError> {
    let id = format!("chatcmpl-{}", random_token());
    let asked = body.read(id.clone()).map_err(refusal)?;
    let llm = llm(&state)?;
    let Asked {
        request,
        is_stream,
        tells_usage,
    } = asked;
    let model = request.model.clone();
    let call = call(&caller.0, request);
    if !is_stream {
        let answer = match wants_new(&headers) {
            true => llm.chat_anew(&call).await?,
            false => llm.chat(&call).await?,
        };
        let told = answer.is_cached.then_some([(CACHE, "hit")]);
        let body = Body(completion(&id, state.now(), &answer.response));
        return Ok((told, body).into_response());
    }
    let deltas = llm.stream(&call).await?;
    let chunks = Chunks::new(id, state.now(), model, tells_usage);
    let events = events(deltas, chunks);
    Ok(Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response())
}

pub(super) async fn create_embeddings(
    State(state): State<AppState>,
    caller: Allowed<can::AskModels>,
    Json(body): Json<EmbeddingsBody>,
) -> Result<Body<Value>, ApiError> {
    let (request, is_base64) = body.read(random_token()).map_err(refusal)?;
    let answer = llm(&state)?.embed(&call(&caller.0, request)).await?;
    Ok(Body(embeddings(&answer.response, is_base64)))
}

/// What the organization can ask for: models with a price whose provider can be asked, and its own
/// names for them.
pub(super) async fn list_models(
    State(state): State<AppState>,
    caller: Allowed<can::AskModels>,
) -> Result<Body<Value>, ApiError> {
    let models = llm(&state)?.models(&caller.0.org_id).await?;
    let models = models.into_iter().map(|(model, provider)| {
        let owner = provider.map_or("organization", ProviderName::as_str);
        json!({ "id": model, "object": "model", "created": 0, "owned_by": owner })
    });
    let models: Vec<_> = models.collect();
    Ok(Body(json!({ "object": "list", "data": models })))
}

fn llm(state: &AppState) -> Result<&MeteredLlm, Error> {
    let none = Error::Precondition("no model provider is configured");
    state.llm.as_ref().ok_or(none)
}

/// Whether no kept answer is to be given, nor the answer to be kept
/// (<https://www.rfc-editor.org/rfc/rfc9111#section-5.2.1>).
fn wants_new(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CACHE_CONTROL).iter();
    let mut texts = values.filter_map(|value| value.to_str().ok());
    texts.any(|text| {
        let mut directives = text.split(',').map(str::trim);
        directives.any(|directive| directive.eq_ignore_ascii_case("no-store"))
    })
}

fn refusal(problem: Problem) -> ApiError {
    Error::Invalid(vec![problem]).into()
}

fn call<R>(principal: &Principal, request: R) -> Call<R> {
    Call {
        org_id: principal.org_id.clone(),
        agent_id: None,
        workflow_id: None,
        execution_id: None,
        uid: Some(principal.uid.clone()),
        request,
    }
}

/// The chunks, and `[DONE]`; what breaks off is told as an error, which OpenAI's clients raise.
fn events(
    deltas: MeteredStream,
    mut chunks: Chunks,
) -> impl Stream<Item = Result<Event, axum::Error>> {
    let told = deltas.into_stream().map(move |delta| match delta {
        Ok(delta) => chunks.of(delta),
        Err(error) => {
            let error = ApiError::from(error);
            let code = error.code().as_str();
            vec![json!({ "error": { "message": error.message(), "type": code, "code": code } })]
        }
    });
    let told = told.flat_map(stream::iter);
    let events = told.map(|chunk| Event::default().json_data(chunk));
    let done = stream::iter([Ok(Event::default().data("[DONE]"))]);
    events.chain(done)
}
