use crate::{
    ids::{AgentId, OrgId},
    models::{
        Agent, AgentKind, AgentStatus, DeployState, Industry, MemoryDepth, Personality, Presence,
        Timestamp, VoiceConfig,
    },
};

/// A draft of an agent.
#[must_use]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
pub fn agent(org_id: OrgId, id: &str, created_at: Timestamp) -> Agent {
    Agent {
        id: AgentId::parse(id).unwrap(),
        org_id,
        name: "Ada".to_owned(),
        kind: AgentKind::Custom,
        industry: Industry::Tech,
        personality: Personality {
            empathy: 0.5,
            confidence: 0.5,
            style: String::new(),
        },
        voice_config: VoiceConfig {
            model: "alloy".to_owned(),
            speed: 1.0,
            pitch: 0.0,
        },
        status: AgentStatus::Paused,
        memory_depth: MemoryDepth::Session,
        deploy_state: DeployState::Draft,
        presence: Presence::default(),
        system_prompt: String::new(),
        tools: Vec::new(),
        model: "gpt-4.1-mini".to_owned(),
        runtime: None,
        suspension: None,
        last_error: None,
        created_at,
        updated_at: created_at,
    }
}
