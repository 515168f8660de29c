use crate::models::Role;

/// Makes [`Action`] and the one table that says which roles may do what.
macro_rules! actions {
    ($($(#[doc = $doc:literal])+ $name:ident: $roles:expr;)+) => {
        /// What a caller wants to do with the organization's things.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Action {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Action {
            /// Every action, for tables in documents and tests.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The action in words, for people.
            #[must_use]
            pub fn description(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+).trim_ascii(),)+
                }
            }

            /// The roles that may do it; every other role is denied.
            #[must_use]
            pub fn roles(self) -> &'static [Role] {
                match self {
                    $(Self::$name => $roles,)+
                }
            }
        }
    };
}

const MEMBERS: &[Role] = &[Role::Admin, Role::User, Role::Viewer];
const EDITORS: &[Role] = &[Role::Admin, Role::User];
const ADMINS: &[Role] = &[Role::Admin];

actions! {
    /// Ask models as with OpenAI's API.
    AskModels: EDITORS;
    /// See the organization's routes to models.
    ReadLlmRoutes: MEMBERS;
    /// Make, change or remove a route to models.
    EditLlmRoutes: ADMINS;
    /// See agents.
    ReadAgents: MEMBERS;
    /// Make an agent.
    CreateAgent: EDITORS;
    /// Change an agent.
    UpdateAgent: EDITORS;
    /// Tell that an agent is alive.
    BeatAgent: EDITORS;
    /// Deploy an agent.
    DeployAgent: EDITORS;
    /// Remove an agent.
    DeleteAgent: EDITORS;
    /// Talk with agents, and see and delete one's own conversations.
    TalkToAgents: EDITORS;
    /// See and take out what agents remember beyond a conversation.
    ReadMemories: EDITORS;
    /// Delete what agents remember.
    DeleteMemories: EDITORS;
    /// Search what was synced: what everybody in the organization may find, and one's own.
    SearchKnowledge: EDITORS;
    /// Take approved conversations out, and tune models with them.
    TrainAgents: ADMINS;
    /// See workflows.
    ReadWorkflows: MEMBERS;
    /// Make or change a workflow.
    EditWorkflow: EDITORS;
    /// Remove a workflow.
    DeleteWorkflow: EDITORS;
    /// Start a workflow.
    TriggerWorkflow: EDITORS;
    /// See executions, their steps and logs.
    ReadExecutions: MEMBERS;
    /// Stop an execution.
    CancelExecution: EDITORS;
    /// Remove an execution's record.
    DeleteExecution: EDITORS;
    /// See what runs ask people.
    ReadApprovals: MEMBERS;
    /// Approve or reject what a run asks one's own role.
    DecideApproval: EDITORS;
    /// See the addresses and the signing secrets of webhooks.
    ReadWebhooks: EDITORS;
    /// See which services are connected.
    ReadIntegrations: MEMBERS;
    /// Connect or disconnect an outside service, and see whose credentials there are.
    ConnectIntegration: EDITORS;
    /// Have an account be synced at once.
    SyncIntegration: EDITORS;
    /// Share what is synced with the organization: of one's own account, or as an admin of any.
    ShareKnowledge: EDITORS;
    /// See usage and limits.
    ReadUsage: MEMBERS;
    /// See the organization.
    ReadOrganization: MEMBERS;
    /// Give the organization another name.
    RenameOrganization: ADMINS;
    /// See what the organization pays for and has used.
    ReadBilling: MEMBERS;
    /// Subscribe, look after the subscription, see invoices, and cap usage.
    ManageBilling: ADMINS;
    /// See the members and their addresses.
    ReadMembers: ADMINS;
    /// Change a member's role, lock a member out or let it in again.
    UpdateMember: ADMINS;
    /// Put a member out.
    RemoveMember: ADMINS;
    /// Invite somebody to a role that is not above one's own.
    InviteMember: EDITORS;
    /// See invitations that wait.
    ReadInvitations: ADMINS;
    /// Withdraw an invitation.
    RevokeInvitation: ADMINS;
    /// Read and filter the audit trail.
    ReadAudit: ADMINS;
    /// Take the audit trail out as a whole.
    ExportAudit: ADMINS;
}

/// Whether `role` may do `action` within its own organization. A role that is not named is denied.
#[must_use]
pub fn is_allowed(role: Role, action: Action) -> bool {
    action.roles().contains(&role)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Action, then admin, user, viewer: written down again, so that no slip of the table passes.
    const MATRIX: &[(Action, [bool; 3])] = &[
        (Action::AskModels, [true, true, false]),
        (Action::ReadLlmRoutes, [true, true, true]),
        (Action::EditLlmRoutes, [true, false, false]),
        (Action::ReadAgents, [true, true, true]),
        (Action::CreateAgent, [true, true, false]),
        (Action::UpdateAgent, [true, true, false]),
        (Action::BeatAgent, [true, true, false]),
        (Action::DeployAgent, [true, true, false]),
        (Action::DeleteAgent, [true, true, false]),
        (Action::TalkToAgents, [true, true, false]),
        (Action::ReadMemories, [true, true, false]),
        (Action::DeleteMemories, [true, true, false]),
        (Action::SearchKnowledge, [true, true, false]),
        (Action::TrainAgents, [true, false, false]),
        (Action::ReadWorkflows, [true, true, true]),
        (Action::EditWorkflow, [true, true, false]),
        (Action::DeleteWorkflow, [true, true, false]),
        (Action::TriggerWorkflow, [true, true, false]),
        (Action::ReadExecutions, [true, true, true]),
        (Action::CancelExecution, [true, true, false]),
        (Action::DeleteExecution, [true, true, false]),
        (Action::ReadApprovals, [true, true, true]),
        (Action::DecideApproval, [true, true, false]),
        (Action::ReadWebhooks, [true, true, false]),
        (Action::ReadIntegrations, [true, true, true]),
        (Action::ConnectIntegration, [true, true, false]),
        (Action::SyncIntegration, [true, true, false]),
        (Action::ShareKnowledge, [true, true, false]),
        (Action::ReadUsage, [true, true, true]),
        (Action::ReadOrganization, [true, true, true]),
        (Action::RenameOrganization, [true, false, false]),
        (Action::ReadBilling, [true, true, true]),
        (Action::ManageBilling, [true, false, false]),
        (Action::ReadMembers, [true, false, false]),
        (Action::UpdateMember, [true, false, false]),
        (Action::RemoveMember, [true, false, false]),
        (Action::InviteMember, [true, true, false]),
        (Action::ReadInvitations, [true, false, false]),
        (Action::RevokeInvitation, [true, false, false]),
        (Action::ReadAudit, [true, false, false]),
        (Action::ExportAudit, [true, false, false]),
    ];

    #[test]
    fn every_role_may_do_what_the_matrix_says_and_no_more() {
        for (action, expected) in MATRIX {
            let roles = [Role::Admin, Role::User, Role::Viewer];
            assert_eq!(
                roles.map(|role| is_allowed(role, *action)),
                *expected,
                "{action:?}"
            );
        }
    }

    #[test]
    fn the_matrix_names_every_action() {
        let named: Vec<Action> = MATRIX.iter().map(|(action, _)| *action).collect();
        assert_eq!(named, Action::ALL);
    }
}
