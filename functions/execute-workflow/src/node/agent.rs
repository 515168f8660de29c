//! `agent`: a deployed agent thinks about a prompt.

use async_trait::async_trait;
use serde_json::json;
use shared::{
    graph::AgentData,
    ids::{AgentId, fingerprint},
    inputs::Bindings,
    models::{Agent, AgentStatus, DeployState, Timestamp},
    store::agents,
};

use super::{
    Call, Effect, Failure, Outcome, Prepared, Stop,
    llm::{self, LlmCall},
};
use crate::AppState;

/// A thought in the log ends after so many characters.
const MAX_THOUGHT_CHARS: usize = 2_000;

/// A prompt to an agent with its expressions resolved.
#[derive(Clone, Debug)]
pub(crate) struct AgentCall {
    agent_id: AgentId,
    prompt: String,
    max_tokens: u32,
}

pub(super) fn prepare(data: &AgentData, bindings: &Bindings) -> Result<Prepared, Failure> {
    let agent_id = AgentId::parse(data.agent_id.render_text(bindings)?)
        .map_err(|error| Failure::permanent("invalid_argument", format!("`agentId`: {error}")))?;
    Ok(Prepared::Effect(Box::new(AgentCall {
        agent_id,
        prompt: data.prompt.render_text(bindings)?,
        max_tokens: data.max_tokens.unwrap_or(llm::DEFAULT_MAX_TOKENS),
    })))
}

#[async_trait]
impl Effect for AgentCall {
    fn request_hash(&self) -> String {
        fingerprint(&["agent", self.agent_id.as_str(), &self.prompt])
    }

    async fn perform(&self, state: &AppState, call: &Call) -> Result<Outcome, Stop> {
        let agent = state
            .store
            .find_agent(&call.execution.org_id, &self.agent_id)
            .await?;
        let agent = agent
            .ok_or_else(|| Failure::permanent("not_found", "no such agent"))?
            .value;
        if agent.status != AgentStatus::Active || agent.deploy_state != DeployState::Deployed {
            let message = format!("the agent {} is not deployed and active", agent.id);
            return Err(Failure::permanent("failed_precondition", message).into());
        }
        beat(state, &agent).await;
        let question = LlmCall {
            model: Some(agent.model.clone()).filter(|model| !model.is_empty()),
            system: Some(system_prompt(&agent)),
            prompt: self.prompt.clone(),
            max_tokens: self.max_tokens,
            temperature: None,
            json: false,
            agent_id: Some(agent.id.clone()),
        };
        let answer = question.ask(state, call).await?;
        let response = answer.response;
        let thought: String = response.content.chars().take(MAX_THOUGHT_CHARS).collect();
        let thoughts = vec![format!("{}: {thought}", agent.name)];
        let output = json!({
            "text": response.content,
            "model": response.model,
            "agentId": agent.id,
        });
        Ok(Outcome {
            thoughts,
            tokens: response.usage.total(),
            cost_micro_usd: answer.cost_micro_usd,
            ..Outcome::of(output)
        })
    }
}

/// Tells that the agent is at work. A beat that is lost must not cost the call.
async fn beat(state: &AppState, agent: &Agent) {
    let now: Timestamp = state.clock.now().into();
    if agent.presence.absorbs_beat(now) {
        return;
    }
    let kept = async {
        state
            .store
            .commit(vec![agents::beat(&agent.id, now)?])
            .await
    };
    if let Err(error) = kept.await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(agent.id = %agent.id, error, "the agent's beat is lost");
    }
}

/// The style is free text of a user: it is given as data, after what the agent is told.
fn system_prompt(agent: &Agent) -> String {
    let personality = &agent.personality;
    format!(
        "{prompt}\n\nYou are {name}. Empathy {empathy:.1} of 1, confidence {confidence:.1} of 1. \
         Style of speech: {style:?}.",
        prompt = agent.system_prompt,
        name = agent.name,
        empathy = personality.empathy,
        confidence = personality.confidence,
        style = personality.style,
    )
}
