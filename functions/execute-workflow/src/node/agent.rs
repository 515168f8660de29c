//! `agent`: a deployed agent thinks about a prompt, in as many moves as it takes. Each move is a
//! step of the journal, so that no worker does again what another has done: it opens the
//! conversation, asks the model, does what the model wants done, asks again, and at last keeps what
//! was said.

mod authority;
mod closing;
mod history;
mod memory;
mod model;
mod opening;
mod prompt;
mod tools;

use serde_json::{Value, json};
use shared::{
    graph::AgentData,
    ids::{AgentId, fingerprint},
    inputs::Bindings,
    llm::Message,
    models::StepResult,
};

use self::{closing::Closing, history::Digest, model::Answer, opening::Opening};
use super::{Call, Effect, Failure, Outcome, Prepared, Stop, llm};

/// A model that calls tools is asked again so often at most in one turn.
const MAX_QUESTIONS: usize = 16;

/// A prompt to an agent with its expressions resolved.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    agent_id: AgentId,
    prompt: String,
    /// The conversation that it goes on with.
    session: Option<String>,
    max_tokens: u32,
}

/// What an agent does next.
pub(crate) enum Next {
    /// Something that is a step of its own.
    Move(Move),
    /// Nothing: its turn has come to this.
    End(Result<Outcome, Failure>),
}

/// One move of a turn.
pub(crate) struct Move {
    /// What it is, for the journal: an action's name for one.
    pub(crate) kind: &'static str,
    /// What it is called in the log.
    pub(crate) title: String,
    /// What is to be done.
    pub(crate) prepared: Result<Prepared, Failure>,
    /// Whether it must not be done again after a crash, whatever the node's policy.
    pub(crate) at_most_once: bool,
}

pub(super) fn prepare(data: &AgentData, bindings: &Bindings) -> Result<Prepared, Failure> {
    let agent_id = AgentId::parse(data.agent_id.render_text(bindings)?)
        .map_err(|error| Failure::permanent("invalid_argument", format!("`agentId`: {error}")))?;
    let session = data.session.as_ref();
    let session = session.map(|session| session.render_text(bindings));
    Ok(Prepared::Turn(Turn {
        agent_id,
        prompt: data.prompt.render_text(bindings)?,
        session: session.transpose()?.filter(|session| !session.is_empty()),
        max_tokens: data.max_tokens.unwrap_or(llm::DEFAULT_MAX_TOKENS),
    }))
}

impl Turn {
    /// A fingerprint of what the agent is asked.
    pub(crate) fn request_hash(&self) -> String {
        fingerprint(&["agent", self.agent_id.as_str(), &self.prompt])
    }

    /// What comes after the moves that have ended, in their order. The same moves always lead to the
    /// same next one.
    pub(crate) fn next(&self, ended: &[&StepResult]) -> Next {
        let mut ended = Ended(ended);
        self.go(&mut ended).unwrap_or_else(|next| *next)
    }

    /// Walks through the moves that have ended; the first that has not ends the walk.
    fn go(&self, ended: &mut Ended<'_>) -> Result<Next, Box<Next>> {
        let opened = ended.take(|| self.opening())?;
        let opening: Opening = parse(&opened)?;
        let recalled = match opening.memory {
            None => None,
            Some(audience) => {
                let recall = || memory::recall(&self.agent_id, audience, &self.prompt);
                memory::to_message(ended.take_any(recall)?)
            }
        };
        let digest = match opening.to_digest() {
            None => None,
            Some(request) => {
                let answer = ended.take(|| self.question(&opening, "sums up", request))?;
                Some(Digest::of(&opening, &parse::<Answer>(&answer)?))
            }
        };
        let mut messages = opening.messages(recalled, digest.as_ref(), &self.prompt);
        let answer = self.converse(&opening, &mut messages, ended)?;
        if let Some(session) = &opening.session {
            let closing = Closing::new(session, digest, &self.prompt, &answer.text);
            ended.take(|| closing.into_move())?;
        }
        let mut output = json!({
            "text": answer.text,
            "model": answer.model,
            "agentId": self.agent_id,
        });
        if let Some(session) = &opening.session {
            output["sessionId"] = json!(session.id);
        }
        Ok(Next::End(Ok(Outcome::of(output))))
    }

    /// Asks the model and does what it wants done, until it has said its last word.
    fn converse(
        &self,
        opening: &Opening,
        messages: &mut Vec<Message>,
        ended: &mut Ended<'_>,
    ) -> Result<Answer, Box<Next>> {
        for _ in 0..MAX_QUESTIONS {
            let answered = ended.take(|| {
                let request = opening.request(messages.clone(), self.max_tokens);
                self.question(opening, "thinks", request)
            })?;
            let answer: Answer = parse(&answered)?;
            if answer.tool_calls.is_empty() {
                return Ok(answer);
            }
            messages.push(answer.to_message());
            for call in &answer.tool_calls {
                let result = ended.take_any(|| tools::to_move(opening, &self.agent_id, call))?;
                messages.push(tools::to_message(call, result));
            }
        }
        let message = format!("the agent has not ended after {MAX_QUESTIONS} questions");
        let failure = Failure::permanent("limit_exceeded", message);
        Err(Box::new(Next::End(Err(failure))))
    }

    fn opening(&self) -> Move {
        Move {
            kind: "agent.opening",
            title: "conversation opened".to_owned(),
            prepared: Ok(Prepared::Effect(Box::new(opening::Open {
                agent_id: self.agent_id.clone(),
                session: self.session.clone(),
            }))),
            at_most_once: false,
        }
    }

    fn question(&self, opening: &Opening, what: &str, request: shared::llm::ChatRequest) -> Move {
        Move {
            kind: "agent.question",
            title: format!("{} {what}", opening.name),
            prepared: Ok(Prepared::Effect(Box::new(model::Question {
                agent_id: self.agent_id.clone(),
                request,
            }))),
            at_most_once: false,
        }
    }
}

/// The moves that have ended and were not looked at yet.
struct Ended<'a>(&'a [&'a StepResult]);

impl<'a> Ended<'a> {
    /// What the next move has come to, if it has; a turn does not outlive its failure.
    fn take(&mut self, next: impl FnOnce() -> Move) -> Result<Value, Box<Next>> {
        let result = self.take_any(next)?;
        match &result.error {
            None => Ok(result.output.0.clone()),
            Some(error) => Err(Box::new(Next::End(Err(error.into())))),
        }
    }

    /// The same whether or not it has failed.
    fn take_any(&mut self, next: impl FnOnce() -> Move) -> Result<&'a StepResult, Box<Next>> {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                Ok(first)
            }
            None => Err(Box::new(Next::Move(next()))),
        }
    }
}

/// What this engine has written is read back.
fn parse<T: serde::de::DeserializeOwned>(output: &Value) -> Result<T, Box<Next>> {
    T::deserialize(output).map_err(|_| {
        let message = "the journal of the agent's turn cannot be read";
        Box::new(Next::End(Err(Failure::permanent("internal", message))))
    })
}
