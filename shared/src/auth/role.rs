use crate::models::Role;

/// What a caller wants to do with the organization's things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// See agents.
    ReadAgents,
    /// Make an agent.
    CreateAgent,
    /// Change an agent.
    UpdateAgent,
    /// Deploy an agent.
    DeployAgent,
    /// Remove an agent.
    DeleteAgent,
    /// See workflows.
    ReadWorkflows,
    /// Make or change a workflow.
    EditWorkflow,
    /// Remove a workflow.
    DeleteWorkflow,
    /// Start a workflow.
    TriggerWorkflow,
    /// See executions, their steps and logs.
    ReadExecutions,
    /// Stop an execution.
    CancelExecution,
    /// Remove an execution's record.
    DeleteExecution,
    /// Connect or disconnect an outside service.
    ConnectIntegration,
    /// See usage and limits.
    ReadUsage,
    /// See the organization.
    ReadOrganization,
}

impl Action {
    /// Every action, for tables in documents and tests.
    pub const ALL: [Self; 15] = [
        Self::ReadAgents,
        Self::CreateAgent,
        Self::UpdateAgent,
        Self::DeployAgent,
        Self::DeleteAgent,
        Self::ReadWorkflows,
        Self::EditWorkflow,
        Self::DeleteWorkflow,
        Self::TriggerWorkflow,
        Self::ReadExecutions,
        Self::CancelExecution,
        Self::DeleteExecution,
        Self::ConnectIntegration,
        Self::ReadUsage,
        Self::ReadOrganization,
    ];
}

/// Whether `role` may do `action` within its own organization. A role that is not named is denied.
#[must_use]
pub fn is_allowed(role: Role, action: Action) -> bool {
    let allowed: &[Role] = match action {
        Action::ReadAgents
        | Action::ReadWorkflows
        | Action::ReadExecutions
        | Action::ReadUsage
        | Action::ReadOrganization => &[Role::Admin, Role::User, Role::Viewer],
        Action::CreateAgent
        | Action::UpdateAgent
        | Action::DeployAgent
        | Action::DeleteAgent
        | Action::EditWorkflow
        | Action::DeleteWorkflow
        | Action::TriggerWorkflow
        | Action::CancelExecution
        | Action::DeleteExecution
        | Action::ConnectIntegration => &[Role::Admin, Role::User],
    };
    allowed.contains(&role)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Action, then admin, user, viewer.
    const MATRIX: [(Action, [bool; 3]); 15] = [
        (Action::ReadAgents, [true, true, true]),
        (Action::CreateAgent, [true, true, false]),
        (Action::UpdateAgent, [true, true, false]),
        (Action::DeployAgent, [true, true, false]),
        (Action::DeleteAgent, [true, true, false]),
        (Action::ReadWorkflows, [true, true, true]),
        (Action::EditWorkflow, [true, true, false]),
        (Action::DeleteWorkflow, [true, true, false]),
        (Action::TriggerWorkflow, [true, true, false]),
        (Action::ReadExecutions, [true, true, true]),
        (Action::CancelExecution, [true, true, false]),
        (Action::DeleteExecution, [true, true, false]),
        (Action::ConnectIntegration, [true, true, false]),
        (Action::ReadUsage, [true, true, true]),
        (Action::ReadOrganization, [true, true, true]),
    ];

    #[test]
    fn every_role_may_do_what_the_matrix_says_and_no_more() {
        for (action, expected) in MATRIX {
            let roles = [Role::Admin, Role::User, Role::Viewer];
            assert_eq!(
                roles.map(|role| is_allowed(role, action)),
                expected,
                "{action:?}"
            );
        }
    }

    #[test]
    fn the_matrix_and_the_list_name_every_action_once() {
        assert_eq!(MATRIX.map(|(action, _)| action), Action::ALL);
        let distinct: HashSet<_> = Action::ALL.into_iter().collect();
        assert_eq!(distinct.len(), Action::ALL.len());
    }
}
