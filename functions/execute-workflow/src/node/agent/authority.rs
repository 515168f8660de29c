//! Whether an agent may do now what it was granted before. What a model says counts for nothing
//! here.

use async_trait::async_trait;
use shared::{actions::Action, auth, ids::AgentId};

use super::{Call, Effect, Failure, Outcome, Stop, opening};
use crate::{
    AppState,
    node::approval::{self, Root},
};

/// An effect that needs the agent's grant and the right of whoever started the run, both as they are
/// when it happens: people may have thought about it for days.
pub(super) struct Authorized {
    pub(super) agent_id: AgentId,
    pub(super) action: &'static Action,
    pub(super) effect: Box<dyn Effect>,
}

#[async_trait]
impl Effect for Authorized {
    fn request_hash(&self) -> String {
        self.effect.request_hash()
    }

    fn asks_for_leave(&self) -> bool {
        self.effect.asks_for_leave()
    }

    async fn perform(&self, state: &AppState, call: &Call) -> Result<Outcome, Stop> {
        let checked = async {
            self.require_grant(state, call).await?;
            require_right(state, call).await
        };
        match checked.await {
            Ok(()) => self.effect.perform(state, call).await,
            // Nothing was done: what may be done once only needs no unknown end.
            Err(Stop::Database(error)) if call.at_most_once && !self.asks_for_leave() => {
                Err(Failure::transient("unavailable", error.to_string()).into())
            }
            Err(Stop::Failed(failure)) if self.asks_for_leave() => {
                approval::withdraw(state, call).await?;
                Err(failure.into())
            }
            Err(stop) => Err(stop),
        }
    }
}

impl Authorized {
    async fn require_grant(&self, state: &AppState, call: &Call) -> Result<(), Stop> {
        let org_id = &call.execution.org_id;
        let agent = opening::find_at_work(state, org_id, &self.agent_id).await?;
        if agent.tools.iter().any(|name| name == self.action.name) {
            return Ok(());
        }
        Err(denied("the agent may not use this tool any more"))
    }
}

/// A person who has left or is locked out has nothing done any more. What a clock or another service
/// starts goes by the workflow, which somebody with the right has drawn.
async fn require_right(state: &AppState, call: &Call) -> Result<(), Stop> {
    let execution = &call.execution;
    let may_act = match approval::root(state, execution).await? {
        Some(Root { uid: Some(uid), .. }) => {
            let member = state.store.find_member(&execution.org_id, &uid).await?;
            member.is_some_and(|member| {
                let user = member.value;
                !user.disabled && auth::is_allowed(user.role, auth::Action::TriggerWorkflow)
            })
        }
        // A deleted account leaves its runs without a name.
        Some(Root { uid: None, kind }) => !kind.is_of_a_person(),
        None => false,
    };
    if may_act {
        return Ok(());
    }
    Err(denied("whoever started the run may not do this any more"))
}

fn denied(message: &str) -> Stop {
    Failure::permanent("permission_denied", message).into()
}
