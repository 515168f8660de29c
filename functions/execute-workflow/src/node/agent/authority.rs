//! Whether an agent may do now what it was granted before. What a model says counts for nothing
//! here.

use async_trait::async_trait;
use shared::{actions::Action, auth, ids::AgentId};

use super::{Call, Effect, Failure, Outcome, Stop, opening};
use crate::{AppState, node::approval};

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
        self.require_grant(state, call).await?;
        require_right(state, call).await?;
        self.effect.perform(state, call).await
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
    let Some(uid) = approval::starter(state, execution).await? else {
        return Ok(());
    };
    let member = state.store.find_member(&execution.org_id, &uid).await?;
    let may_act = member.is_some_and(|member| {
        let user = member.value;
        !user.disabled && auth::is_allowed(user.role, auth::Action::TriggerWorkflow)
    });
    if may_act {
        return Ok(());
    }
    Err(denied("whoever started the run may not do this any more"))
}

fn denied(message: &str) -> Stop {
    Failure::permanent("permission_denied", message).into()
}
