//! `agent`: a deployed agent thinks about a prompt, in as many moves as it takes. Each move is a
//! step of the journal, so that no worker does again what another has done: it opens the
//! conversation, asks the model, does what the model wants done, asks again, and at last keeps what
//! was said.

mod authority;
mod closing;
mod history;
mod knowledge;
mod memory;
mod model;
mod opening;
mod tools;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use shared::{
    graph::AgentData,
    ids::{AgentId, fingerprint},
    inputs::Bindings,
    llm::Message,
    models::StepResult,
};

use self::{
    closing::Closing, history::Digest, knowledge::Citations, model::Answer, opening::Opening,
};
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
    /// Whether it may be done again.
    pub(crate) repeat: Repeat,
}

/// Whether a move whose end is unknown may be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Nothing happens that has not.
    Harmless,
    /// As the node's policy says.
    AsTheNode,
    /// It would happen again.
    Never,
}

/// What a turn has come to beside what was said.
#[derive(Default)]
struct Course {
    /// Actions that did more than read, or may have.
    done: Vec<&'static str>,
    citations: Citations,
}

/// Why a turn does not get on by itself.
enum Halt {
    /// A move is to be made.
    Move(Box<Move>),
    /// The turn has failed.
    Failed(Failure),
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
        match self.go(&mut Ended(ended)) {
            Ok(outcome) => Next::End(Ok(outcome)),
            Err(Halt::Failed(failure)) => Next::End(Err(failure)),
            Err(Halt::Move(next)) => Next::Move(*next),
        }
    }

    /// Walks through the moves that have ended; the first that has not ends the walk.
    fn go(&self, ended: &mut Ended<'_>) -> Result<Outcome, Halt> {
        let opened = ended.take(|| self.opening())?;
        let opening: Opening = parse(opened)?;
        let recalled = self.recall(&opening, ended)?;
        let digest = self.digest(&opening, ended)?;
        let mut messages = opening.messages(recalled, digest.as_ref(), &self.prompt);
        let mut course = Course::default();
        let answered = match self.converse(&opening, &mut messages, &mut course, ended) {
            Err(halt @ Halt::Move(_)) => return Err(halt),
            Err(Halt::Failed(failure)) => Err(failure),
            Ok(answer) => Ok(answer),
        };
        if let Some(session) = &opening.session {
            let answer = answered.as_ref().map(|answer| answer.text.as_str());
            let said = closing::Said::new(&self.prompt, answer, &course.done);
            let closing = Closing::new(session, digest, said);
            ended.take(|| closing.into_move())?;
        }
        let answer = answered.map_err(Halt::Failed)?;
        Ok(Outcome::of(self.output(
            &opening,
            &answer,
            &course.citations,
        )))
    }

    fn output(&self, opening: &Opening, answer: &Answer, citations: &Citations) -> Value {
        let mut output = json!({
            "text": answer.text,
            "model": answer.model,
            "agentId": self.agent_id,
        });
        if let Some(session) = &opening.session {
            output["sessionId"] = json!(session.id);
        }
        if knowledge::is_granted(opening) {
            output["citations"] = citations.in_text(&answer.text).into();
        }
        if answer.is_cut {
            output["isCut"] = json!(true);
        }
        output
    }

    /// What the agent remembers that is near to the prompt. The turn goes on without what cannot be
    /// had.
    fn recall(&self, opening: &Opening, ended: &mut Ended<'_>) -> Result<Option<Message>, Halt> {
        if !opening.remembers {
            return Ok(None);
        }
        let recall = || memory::recall(&self.agent_id, &self.prompt);
        Ok(memory::to_message(ended.take_any(recall)?))
    }

    /// The earlier part of a conversation that has become too long, in short. A model that has none
    /// to give costs the turn that part, not the answer.
    fn digest(&self, opening: &Opening, ended: &mut Ended<'_>) -> Result<Option<Digest>, Halt> {
        let Some(request) = opening.to_digest() else {
            return Ok(None);
        };
        let result = ended.take_any(|| {
            let question = model::Question::quiet(&self.agent_id, request);
            question.into_move(format!("{} sums up", opening.name))
        })?;
        if result.error.is_some() {
            return Ok(None);
        }
        Ok(Digest::of(opening, parse(&result.output.0)?))
    }

    /// Asks the model and does what it wants done, until it has said its last word.
    fn converse(
        &self,
        opening: &Opening,
        messages: &mut Vec<Message>,
        course: &mut Course,
        ended: &mut Ended<'_>,
    ) -> Result<Answer, Halt> {
        for _ in 0..MAX_QUESTIONS {
            let answered = ended.take(|| {
                let request = opening.request(messages.clone(), self.max_tokens);
                let question = model::Question::aloud(&self.agent_id, request);
                question.into_move(format!("{} thinks", opening.name))
            })?;
            let answer: Answer = parse(answered)?;
            let answer = answer.checked().map_err(Halt::Failed)?;
            if answer.tool_calls.is_empty() {
                return Ok(answer);
            }
            messages.push(answer.to_message());
            for (number, call) in answer.tool_calls.iter().enumerate() {
                if number >= tools::MAX_CALLS {
                    messages.push(tools::too_many(call));
                    continue;
                }
                let result = ended.take_any(|| tools::to_move(opening, &self.agent_id, call))?;
                course.done.extend(tools::acted(opening, call, result));
                messages.push(match tools::is_search(opening, call) {
                    true => course.citations.tell(call, result),
                    false => tools::to_message(call, result),
                });
            }
        }
        let message = format!("the agent has not ended after {MAX_QUESTIONS} questions");
        Err(Halt::Failed(Failure::permanent("limit_exceeded", message)))
    }

    fn opening(&self) -> Move {
        Move {
            kind: "agent.opening",
            title: "conversation opened".to_owned(),
            prepared: Ok(Prepared::Effect(Box::new(opening::Open {
                agent_id: self.agent_id.clone(),
                session: self.session.clone(),
            }))),
            repeat: Repeat::Harmless,
        }
    }
}

/// The moves that have ended and were not looked at yet.
struct Ended<'a>(&'a [&'a StepResult]);

impl<'a> Ended<'a> {
    /// What the next move has come to, if it has; a turn does not outlive its failure.
    fn take(&mut self, next: impl FnOnce() -> Move) -> Result<&'a Value, Halt> {
        let result = self.take_any(next)?;
        match &result.error {
            None => Ok(&result.output.0),
            Some(error) => Err(Halt::Failed(error.into())),
        }
    }

    /// The same whether or not it has failed.
    fn take_any(&mut self, next: impl FnOnce() -> Move) -> Result<&'a StepResult, Halt> {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                Ok(first)
            }
            None => Err(Halt::Move(Box::new(next()))),
        }
    }
}

/// What this engine has written is read back.
fn parse<T: DeserializeOwned>(output: &Value) -> Result<T, Halt> {
    T::deserialize(output).map_err(|_| {
        let message = "the journal of the agent's turn cannot be read";
        Halt::Failed(Failure::permanent("internal", message))
    })
}
