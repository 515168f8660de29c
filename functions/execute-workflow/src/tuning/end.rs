//! The end of a tuning: all that it changes is one commit.

use serde_json::json;
use shared::{
    audit::Entry,
    llm::{JobState, TuningJob},
    models::{
        Agent, AgentStatus, AuditAction, LastError, Timestamp, TunedModel, Tuning, TuningState,
    },
    quota::{Trained, settle_training},
    store::{self, Versioned, Write, agents, commit_contended, tunings},
};

use super::{Error, find_held};
use crate::{AppState, CALLER};

/// How a tuning ends.
pub(super) struct End {
    state: TuningState,
    trained: Trained,
    tuned_model: Option<String>,
    /// Code and message, which are safe to show.
    error: Option<(&'static str, String)>,
}

impl End {
    /// Nothing was made, and nothing is billed.
    pub(super) fn failed(code: &'static str, message: &str) -> Self {
        Self {
            state: TuningState::Failed,
            trained: Trained::Nothing,
            tuned_model: None,
            error: Some((code, message.to_owned())),
        }
    }

    /// It was stopped before there was a job.
    pub(super) fn cancelled() -> Self {
        Self {
            state: TuningState::Cancelled,
            trained: Trained::Nothing,
            tuned_model: None,
            error: None,
        }
    }

    /// Nobody knows what has become of it.
    pub(super) fn lost() -> Self {
        Self {
            trained: Trained::Unknown,
            ..Self::failed("deadline_exceeded", "the provider has not finished in time")
        }
    }

    /// What a job has come to. One that has made a model and does not tell what it bills has used
    /// what was reserved.
    pub(super) fn of(job: &TuningJob) -> Self {
        let told = job.trained_tokens.map(Trained::Tokens);
        match (job.state, &job.tuned_model) {
            (JobState::Succeeded, Some(name)) => Self {
                state: TuningState::Succeeded,
                trained: told.unwrap_or(Trained::Unknown),
                tuned_model: Some(name.clone()),
                error: None,
            },
            (JobState::Cancelled, _) => Self {
                trained: told.unwrap_or(Trained::Nothing),
                ..Self::cancelled()
            },
            _ => {
                let code = job.error_code.as_deref().unwrap_or("unknown");
                let message = format!("the provider has made no model: `{code}`");
                Self {
                    trained: told.unwrap_or(Trained::Nothing),
                    ..Self::failed("provider", &message)
                }
            }
        }
    }

    fn apply(&self, tuning: &mut Tuning, cost_micro_usd: i64, now: Timestamp) {
        tuning.state = self.state;
        tuning.cost_micro_usd = cost_micro_usd;
        if let Trained::Tokens(tokens) = self.trained {
            tuning.trained_tokens = Some(tokens);
        }
        tuning.tuned_model.clone_from(&self.tuned_model);
        tuning.error = self.error.as_ref().map(|(code, message)| LastError {
            code: (*code).to_owned(),
            message: message.clone(),
            at: now,
        });
        tuning.due_at = None;
        tuning.updated_at = now;
    }
}

/// Books what was used, registers the model, has the agent work again and records the end.
pub(super) async fn end(state: &AppState, held: &Tuning, ended: End) -> Result<(), Error> {
    let (store, ended) = (&state.store, &ended);
    commit_contended(store, || async move {
        let now = state.clock.now().into();
        let mut found = find_held(store, held).await?;
        let (mut writes, cost) = settle_training(store, held, ended.trained, now).await?;
        ended.apply(&mut found.value, cost, now);
        let tuning = &found.value;
        let agent = store.find_agent(&tuning.org_id, &tuning.agent_id).await?;
        writes.push(match &agent {
            Some(_) => tunings::replace(&found)?,
            // Nobody else would delete it.
            None => tunings::delete(&found),
        });
        if let Some(name) = &tuning.tuned_model {
            writes.push(tunings::register(&TunedModel::of(tuning, name, now))?);
        }
        writes.extend(awaken(agent, now)?);
        let context = json!({
            "agentId": tuning.agent_id,
            "tuningId": tuning.id,
            "state": tuning.state,
            "model": tuning.tuned_model,
        });
        let actor = CALLER.actor_id();
        let entry = Entry::new(&tuning.org_id, actor, AuditAction::TuningEnd, context);
        writes.extend(state.trail.append(entry, now).await?);
        Ok::<_, Error>((writes, ()))
    })
    .await
}

/// Has the agent work again, or when it is suspended no more, unless it is not there or does something else by now.
fn awaken(agent: Option<Versioned<Agent>>, now: Timestamp) -> Result<Option<Write>, store::Error> {
    let training = |agent: &Versioned<Agent>| agent.value.status == AgentStatus::Training;
    let Some(mut agent) = agent.filter(training) else {
        return Ok(None);
    };
    agent.value.begin_work();
    agent.value.updated_at = now;
    agents::replace(&agent).map(Some)
}
