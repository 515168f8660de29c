//! Registers agents in the orchestration layer: executions load a registered agent by its id, so
//! all there is to do is to write down which configuration was deployed.

use serde_json::json;
use shared::{
    ids::fingerprint,
    models::{Agent, AgentRuntime, Timestamp},
};

/// Where the agent runs once this is committed.
pub(crate) fn register(agent: &Agent, now: Timestamp) -> AgentRuntime {
    AgentRuntime::Registered {
        revision: revision(agent),
        registered_at: now,
    }
}

/// Fingerprint of everything that shapes what the agent says, does and remembers.
pub(crate) fn revision(agent: &Agent) -> String {
    let configuration = json!({
        "name": agent.name,
        "industry": agent.industry,
        "personality": agent.personality,
        "voiceConfig": agent.voice_config,
        "memoryDepth": agent.memory_depth,
        "systemPrompt": agent.system_prompt,
        "tools": agent.tools,
        "model": agent.model,
    });
    fingerprint(&["agent revision 1", &configuration.to_string()])
}
