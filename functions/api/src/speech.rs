//! What agents say aloud.

use shared::{
    ids::{AgentId, random_token},
    llm::speech::{Audio, SpeechRequest, Unspeakable},
    models::Principal,
    quota::{self, Call, MeteredLlm},
    store::Store,
};

use crate::{
    agents,
    error::{Error, Problem},
};

/// Has an agent speak a text with its voice. The audio is kept nowhere.
pub(crate) async fn speak(
    store: &Store,
    llm: Option<&MeteredLlm>,
    principal: &Principal,
    agent_id: &AgentId,
    text: String,
) -> Result<Audio, Error> {
    let agent = agents::find_at_work(store, principal, agent_id).await?;
    let llm = llm.ok_or(Error::Precondition("no model provider is configured"))?;
    let request = SpeechRequest::new(&agent.voice_config, text, random_token());
    let call = Call {
        org_id: principal.org_id.clone(),
        agent_id: Some(agent.id),
        workflow_id: None,
        execution_id: None,
        uid: Some(principal.uid.clone()),
        request: request.map_err(refusal)?,
    };
    let audio = llm.speak(&call).await;
    let audio = audio.map_err(|error| match error {
        quota::Error::UnknownModel(_) => Error::Precondition(
            "`voiceConfig.model`: whoever has this voice is not configured here",
        ),
        error => error.into(),
    });
    Ok(audio?.response)
}

/// The text is the caller's, the voice is the agent's.
fn refusal(unspeakable: Unspeakable) -> Error {
    match unspeakable {
        Unspeakable::Length | Unspeakable::Size => {
            let (field, message) = (unspeakable.field(), unspeakable.to_string());
            Error::Invalid(vec![Problem::new(field, message)])
        }
        Unspeakable::Voice => {
            Error::Precondition("`voiceConfig.model`: the agent has no known voice")
        }
        Unspeakable::Speed => {
            Error::Precondition("`voiceConfig.speed`: the agent's voice has no such speed")
        }
        Unspeakable::Pitch => {
            Error::Precondition("`voiceConfig.pitch`: the agent's voice has no such pitch")
        }
    }
}
