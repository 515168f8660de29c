use serde_json::json;

use super::MAX_TOKENS;
use crate::{
    graph::{
        fields::Fields,
        schema::{self, Settings},
    },
    inputs::Template,
};

/// Settings of an agent.
#[derive(Clone, Debug)]
pub struct AgentData {
    /// The agent; expressions are allowed, so that a payload can choose it.
    pub agent_id: Template,
    /// What it is asked.
    pub prompt: Template,
    /// The name of the conversation that this goes on with, if with any.
    pub session: Option<Template>,
    /// Limit of the answer.
    pub max_tokens: Option<u32>,
}

impl AgentData {
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let agent_id = fields.text("agentId");
        let prompt = fields.text("prompt");
        let session = fields.optional_text("session");
        let max_tokens = fields.within("maxTokens", 1..=MAX_TOKENS);
        Some(Self {
            agent_id: agent_id?,
            prompt: prompt?,
            session,
            max_tokens,
        })
    }

    pub(super) fn schema() -> Settings {
        let tokens = schema::integer(1..=MAX_TOKENS, "Limit of the answer, in tokens.");
        let about = "The name of the conversation that this goes on with, such as a customer's \
                     number; without one, the agent remembers nothing of what was said.";
        let mut session = schema::text(about);
        session["minLength"] = json!(0);
        Settings::new("Agent", "Asks an agent of the organization.")
            .required("agentId", schema::text("The agent."))
            .required("prompt", schema::text("What it is asked."))
            .optional("session", session)
            .optional("maxTokens", tokens)
    }
}
