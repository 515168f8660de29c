use axum::{Json as Body, extract::State, response::Response};
use garde::Validate;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use shared::{
    actions,
    http::{Allowed, ApiError, Json, Path, Query, can, object},
    ids::{AgentId, OrgId},
    llm::speech::{Unspeakable, Voice},
    models::{
        Agent, AgentKind, AgentStatus, DeployState, Industry, LastError, MemoryDepth, Personality,
        Presence, Timestamp, VoiceConfig,
    },
};

use super::{
    answer::{ListResponse, made},
    etag,
    idempotency_key::IdempotencyKey,
    patch::{present, present_object, set},
};
use crate::{AppState, agents, idempotency::Once, page, presence};

const CREATE_AGENT: &str = "agents.create";

/// What an agent is made of.
#[derive(Serialize, Deserialize, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct CreateAgentRequest {
    #[garde(length(chars, min = 1, max = 80))]
    name: String,
    #[serde(rename = "type", default = "default_kind")]
    kind: AgentKind,
    industry: Industry,
    #[serde(default = "default_personality", deserialize_with = "object")]
    #[garde(dive)]
    personality: Personality,
    #[serde(default = "default_voice", deserialize_with = "object")]
    #[garde(dive)]
    voice_config: VoiceConfig,
    #[serde(default)]
    #[garde(length(chars, max = 20_000))]
    system_prompt: String,
    #[serde(default)]
    #[garde(length(chars, min = 1, max = 100))]
    model: Option<String>,
    #[serde(default = "default_memory")]
    memory_depth: MemoryDepth,
    #[serde(default)]
    #[garde(length(max = 50), custom(actions::are_names))]
    tools: Vec<String>,
}

/// What of an agent may be changed; what is left out stays.
#[derive(Default, Deserialize, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[garde(allow_unvalidated)]
pub(super) struct UpdateAgentRequest {
    #[serde(deserialize_with = "present")]
    #[garde(length(chars, min = 1, max = 80))]
    name: Option<String>,
    #[serde(deserialize_with = "present")]
    industry: Option<Industry>,
    #[serde(deserialize_with = "present_object")]
    #[garde(dive)]
    personality: Option<Personality>,
    #[serde(deserialize_with = "present_object")]
    #[garde(dive)]
    voice_config: Option<VoiceConfig>,
    #[serde(deserialize_with = "present")]
    #[garde(length(chars, max = 20_000))]
    system_prompt: Option<String>,
    #[serde(deserialize_with = "present")]
    #[garde(length(chars, min = 1, max = 100))]
    model: Option<String>,
    #[serde(deserialize_with = "present")]
    memory_depth: Option<MemoryDepth>,
    #[serde(deserialize_with = "present")]
    #[garde(length(max = 50), inner(custom(actions::are_names)))]
    tools: Option<Vec<String>>,
}

/// Which agents to list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ListAgentsQuery {
    limit: Option<u32>,
    page_token: Option<String>,
}

/// How an agent is doing.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AgentStatusResponse {
    id: AgentId,
    status: AgentStatus,
    deploy_state: DeployState,
    presence: PresenceResponse,
    last_error: Option<LastError>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PresenceResponse {
    online: bool,
    last_seen_at: Option<Timestamp>,
}

pub(super) async fn create_agent(
    State(state): State<AppState>,
    caller: Allowed<can::CreateAgent>,
    IdempotencyKey(key): IdempotencyKey,
    Json(request): Json<CreateAgentRequest>,
) -> Result<Response, ApiError> {
    require_voice(Some(&request.voice_config))?;
    let (principal, now) = (&caller.0, state.now());
    let once = Once::new(CREATE_AGENT, principal, key.as_deref(), &request, now)?;
    let agent = request.into_agent(&principal.org_id, &state.default_model, now);
    let done = agents::create(&state.store, &state.trail, principal, &once, &agent).await?;
    made(
        StatusCode::CREATED,
        &format!("/agents/{}", done.value.id),
        &done,
    )
}

pub(super) async fn list_agents(
    State(state): State<AppState>,
    caller: Allowed<can::ReadAgents>,
    Query(query): Query<ListAgentsQuery>,
) -> Result<Body<ListResponse<Agent>>, ApiError> {
    let page = page::parse("agents", query.limit, query.page_token.as_deref())?;
    let listing = state.store.list_agents(&caller.0.org_id, &page).await?;
    Ok(Body(ListResponse::new("agents", listing)))
}

pub(super) async fn get_agent(
    State(state): State<AppState>,
    caller: Allowed<can::ReadAgents>,
    Path(id): Path<AgentId>,
) -> Result<Body<Agent>, ApiError> {
    let agent = agents::find(&state.store, &caller.0, &id).await?;
    Ok(Body(agent.value))
}

pub(super) async fn get_agent_status(
    State(state): State<AppState>,
    caller: Allowed<can::ReadAgents>,
    Path(id): Path<AgentId>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let agent = agents::find(&state.store, &caller.0, &id).await?;
    etag::respond(
        &headers,
        &AgentStatusResponse::new(agent.value, state.now()),
    )
}

pub(super) async fn update_agent(
    State(state): State<AppState>,
    caller: Allowed<can::UpdateAgent>,
    Path(id): Path<AgentId>,
    Json(request): Json<UpdateAgentRequest>,
) -> Result<Body<Agent>, ApiError> {
    require_voice(request.voice_config.as_ref())?;
    let change = |agent: &mut Agent| request.apply(agent);
    let agent = agents::update(
        &state.store,
        &state.trail,
        &caller.0,
        &id,
        state.now(),
        change,
    )
    .await?;
    Ok(Body(agent))
}

pub(super) async fn delete_agent(
    State(state): State<AppState>,
    caller: Allowed<can::DeleteAgent>,
    Path(id): Path<AgentId>,
) -> Result<StatusCode, ApiError> {
    agents::delete(&state.store, &state.trail, &caller.0, &id, state.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn beat_agent(
    State(state): State<AppState>,
    caller: Allowed<can::BeatAgent>,
    Path(id): Path<AgentId>,
) -> Result<StatusCode, ApiError> {
    presence::beat(&state.store, &caller.0, &id, state.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl CreateAgentRequest {
    fn into_agent(self, org_id: &OrgId, default_model: &str, now: Timestamp) -> Agent {
        Agent {
            id: AgentId::generate(),
            org_id: org_id.clone(),
            name: self.name,
            kind: self.kind,
            industry: self.industry,
            personality: self.personality,
            voice_config: self.voice_config,
            status: AgentStatus::Paused,
            memory_depth: self.memory_depth,
            deploy_state: DeployState::Draft,
            presence: Presence::default(),
            system_prompt: self.system_prompt,
            tools: self.tools,
            model: self.model.unwrap_or_else(|| default_model.to_owned()),
            runtime: None,
            suspension: None,
            last_error: None,
            created_at: now,
            updated_at: now,
        }
    }
}

impl UpdateAgentRequest {
    fn apply(&self, agent: &mut Agent) {
        set(&mut agent.name, self.name.as_ref());
        set(&mut agent.industry, self.industry.as_ref());
        set(&mut agent.personality, self.personality.as_ref());
        set(&mut agent.voice_config, self.voice_config.as_ref());
        set(&mut agent.system_prompt, self.system_prompt.as_ref());
        set(&mut agent.model, self.model.as_ref());
        set(&mut agent.memory_depth, self.memory_depth.as_ref());
        set(&mut agent.tools, self.tools.as_ref());
    }
}

impl AgentStatusResponse {
    fn new(agent: Agent, now: Timestamp) -> Self {
        Self {
            id: agent.id,
            status: agent.status,
            deploy_state: agent.deploy_state,
            presence: PresenceResponse {
                online: agent.presence.is_online(now),
                last_seen_at: agent.presence.last_seen_at,
            },
            last_error: agent.last_error,
        }
    }
}

fn default_kind() -> AgentKind {
    AgentKind::Custom
}

fn default_personality() -> Personality {
    Personality {
        empathy: 0.5,
        confidence: 0.5,
        style: String::new(),
    }
}

fn default_voice() -> VoiceConfig {
    VoiceConfig {
        model: "alloy".to_owned(),
        speed: 1.0,
        pitch: 0.0,
    }
}

fn default_memory() -> MemoryDepth {
    MemoryDepth::Session
}

/// Clients that write the document can ask for more than a voice takes; it is then refused where it
/// is to speak.
fn require_voice(config: Option<&VoiceConfig>) -> Result<(), ApiError> {
    let unspeakable = config.and_then(|config| Voice::of(config).err());
    let refused = |error: Unspeakable| ApiError::invalid_field(error.field(), error.to_string());
    unspeakable.map_or(Ok(()), |error| Err(refused(error)))
}
