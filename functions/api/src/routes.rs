//! The only part that knows HTTP: decode, call, map.

mod account;
mod agent_life;
mod agents;
mod analytics;
mod answer;
mod approvals;
mod audit;
mod billing;
mod conversations;
mod error;
mod etag;
mod execution_lists;
mod executions;
mod idempotency_key;
mod integrations;
mod invitations;
mod knowledge;
mod lines;
mod llm;
mod members;
mod memories;
mod nodes;
mod optional_json;
mod organization;
mod patch;
mod pictures;
mod speech;
mod stored_bodies;
mod stream;
mod syncs;
mod tunings;
mod webhooks;
mod workflows;

use axum::{
    Router,
    routing::{MethodRouter, delete, get, patch, post, put},
};
use http::Method;
use shared::auth::Action;

use crate::AppState;

pub(crate) use integrations::GOOGLE_CALLBACK;
pub(crate) use llm::{Room, hold_room};
pub(crate) use speech::PATH as SPEECH;
pub(crate) use webhooks::MAX_BODY_BYTES as MAX_HOOK_BODY_BYTES;

/// Where all routes begin.
pub(crate) const PREFIX: &str = "/api/v1";

/// Where all routes that need no sign-in begin, below [`PREFIX`].
pub(crate) const HOOKS: &str = "/hooks";

/// Where the routes to models begin, below [`PREFIX`].
pub(crate) const LLM: &str = "/llm";

/// One route of the API.
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path below `/api/v1`, with `{id}` for an id.
    pub path: &'static str,
    /// What the caller must be allowed to do; none for what everybody may do with their own, and
    /// without a sign-in.
    pub action: Option<Action>,
    handler: fn() -> MethodRouter<AppState>,
}

/// Every route for those who are signed in: the router is made of it, the documents and the tests
/// read it.
pub const ROUTES: &[&[Route]] = &[
    ACCOUNT,
    ORGANIZATION,
    billing::ROUTES,
    MEMBERS,
    INVITATIONS,
    AGENTS,
    agent_life::ROUTES,
    conversations::ROUTES,
    speech::ROUTES,
    memories::ROUTES,
    knowledge::ROUTES,
    tunings::ROUTES,
    WORKFLOWS,
    EXECUTIONS,
    approvals::ROUTES,
    integrations::ROUTES,
    syncs::ROUTES,
    llm::ROUTES,
    audit::ROUTES,
];

/// Every route that needs no sign-in: its address or what it carries is what proves that somebody
/// may call it.
pub const PUBLIC_ROUTES: &[Route] = &[
    own(Method::POST, "/hooks/{workflowId}/{hookId}/{token}", || {
        post(webhooks::receive_webhook)
    }),
    own(Method::GET, integrations::GOOGLE_CALLBACK, || {
        get(integrations::hand_over_google_consent)
    }),
];

const ACCOUNT: &[Route] = &[
    own(Method::GET, "/me", || get(organization::get_me)),
    own(Method::DELETE, "/me", || delete(account::delete_account)),
    own(Method::GET, "/me/export", || get(account::export_account)),
    own(Method::POST, "/me/sessions/revoke", || {
        post(account::revoke_sessions)
    }),
    own(Method::POST, "/organizations", || {
        post(organization::create_organization)
    }),
    own(Method::POST, "/organization/leave", || {
        post(organization::leave_organization)
    }),
    own(Method::POST, "/invitations/accept", || {
        post(invitations::accept_invitation)
    }),
];

const ORGANIZATION: &[Route] = &[
    route(
        Method::GET,
        "/organization",
        Action::ReadOrganization,
        || get(organization::get_organization),
    ),
    route(
        Method::PATCH,
        "/organization",
        Action::RenameOrganization,
        || patch(organization::update_organization),
    ),
    route(Method::GET, "/analytics/usage", Action::ReadUsage, || {
        get(analytics::get_usage)
    }),
    route(
        Method::GET,
        "/analytics/usage.csv",
        Action::ReadUsage,
        || get(analytics::get_usage_csv),
    ),
    route(
        Method::GET,
        "/analytics/usage.svg",
        Action::ReadUsage,
        || get(analytics::get_usage_svg),
    ),
];

const MEMBERS: &[Route] = &[
    route(Method::GET, "/members", Action::ReadMembers, || {
        get(members::list_members)
    }),
    route(Method::PATCH, "/members/{id}", Action::UpdateMember, || {
        patch(members::update_member)
    }),
    route(
        Method::DELETE,
        "/members/{id}",
        Action::RemoveMember,
        || delete(members::remove_member),
    ),
];

const INVITATIONS: &[Route] = &[
    route(
        Method::GET,
        "/organization/invitations",
        Action::ReadInvitations,
        || get(invitations::list_invitations),
    ),
    route(
        Method::POST,
        "/organization/invitations",
        Action::InviteMember,
        || post(invitations::create_invitation),
    ),
    route(
        Method::DELETE,
        "/organization/invitations/{id}",
        Action::RevokeInvitation,
        || delete(invitations::revoke_invitation),
    ),
];

const AGENTS: &[Route] = &[
    route(Method::GET, "/agents", Action::ReadAgents, || {
        get(agents::list_agents)
    }),
    route(Method::POST, "/agents", Action::CreateAgent, || {
        post(agents::create_agent)
    }),
    route(Method::POST, "/agents/create", Action::CreateAgent, || {
        post(agents::create_agent)
    }),
    route(Method::GET, "/agents/{id}", Action::ReadAgents, || {
        get(agents::get_agent)
    }),
    route(Method::PATCH, "/agents/{id}", Action::UpdateAgent, || {
        patch(agents::update_agent)
    }),
    route(Method::DELETE, "/agents/{id}", Action::DeleteAgent, || {
        delete(agents::delete_agent)
    }),
    route(
        Method::GET,
        "/agents/{id}/status",
        Action::ReadAgents,
        || get(agents::get_agent_status),
    ),
    route(
        Method::POST,
        "/agents/{id}/heartbeat",
        Action::BeatAgent,
        || post(agents::beat_agent),
    ),
];

const WORKFLOWS: &[Route] = &[
    route(Method::GET, "/nodes", Action::ReadWorkflows, || {
        get(nodes::list_nodes)
    }),
    route(Method::GET, "/workflows", Action::ReadWorkflows, || {
        get(workflows::list_workflows)
    }),
    route(Method::POST, "/workflows", Action::EditWorkflow, || {
        post(workflows::create_workflow)
    }),
    route(
        Method::GET,
        "/workflows/{id}",
        Action::ReadWorkflows,
        || get(workflows::get_workflow),
    ),
    route(Method::PUT, "/workflows/{id}", Action::EditWorkflow, || {
        put(workflows::replace_workflow)
    }),
    route(
        Method::PATCH,
        "/workflows/{id}",
        Action::EditWorkflow,
        || patch(workflows::update_workflow),
    ),
    route(
        Method::DELETE,
        "/workflows/{id}",
        Action::DeleteWorkflow,
        || delete(workflows::delete_workflow),
    ),
    route(
        Method::GET,
        "/workflows/{id}/graph.svg",
        Action::ReadWorkflows,
        || get(pictures::get_workflow_svg),
    ),
    route(
        Method::GET,
        "/workflows/{id}/graph.mmd",
        Action::ReadWorkflows,
        || get(pictures::get_workflow_mermaid),
    ),
    route(
        Method::POST,
        "/workflows/trigger/{id}",
        Action::TriggerWorkflow,
        || post(executions::trigger_workflow),
    ),
    route(
        Method::GET,
        "/workflows/{id}/webhooks",
        Action::ReadWebhooks,
        || get(webhooks::list_webhooks),
    ),
];

const EXECUTIONS: &[Route] = &[
    route(Method::GET, "/executions", Action::ReadExecutions, || {
        get(execution_lists::list_executions)
    }),
    route(Method::POST, "/executions", Action::TriggerWorkflow, || {
        post(executions::create_execution)
    }),
    route(
        Method::GET,
        "/executions/{id}",
        Action::ReadExecutions,
        || get(executions::get_execution),
    ),
    route(
        Method::PATCH,
        "/executions/{id}",
        Action::CancelExecution,
        || patch(executions::update_execution),
    ),
    route(
        Method::DELETE,
        "/executions/{id}",
        Action::DeleteExecution,
        || delete(executions::delete_execution),
    ),
    route(
        Method::GET,
        "/executions/{id}/steps",
        Action::ReadExecutions,
        || get(execution_lists::list_steps),
    ),
    route(
        Method::GET,
        "/executions/{id}/steps/{nodeId}/body",
        Action::ReadExecutions,
        || get(stored_bodies::get_stored_body),
    ),
    route(
        Method::GET,
        "/executions/{id}/logs",
        Action::ReadExecutions,
        || get(executions::list_log_lines),
    ),
    route(
        Method::GET,
        "/executions/{id}/stream",
        Action::ReadExecutions,
        || get(stream::stream_execution),
    ),
    route(
        Method::GET,
        "/executions/{id}/graph.svg",
        Action::ReadExecutions,
        || get(pictures::get_execution_svg),
    ),
    route(
        Method::GET,
        "/executions/{id}/graph.mmd",
        Action::ReadExecutions,
        || get(pictures::get_execution_mermaid),
    ),
    route(
        Method::POST,
        "/executions/{id}/rerun",
        Action::TriggerWorkflow,
        || post(executions::rerun_execution),
    ),
];

/// The router of all routes but those below [`HOOKS`], [`LLM`] and [`SPEECH`], below [`PREFIX`].
pub(crate) fn routes() -> Router<AppState> {
    let routes = ROUTES.iter().copied().flatten().chain(PUBLIC_ROUTES);
    let apart = [HOOKS, LLM, SPEECH];
    let routes = routes.filter(|route| !apart.iter().any(|base| route.is_below(base)));
    routes.fold(Router::new(), |router, route| {
        router.route(route.path, (route.handler)())
    })
}

/// The router of the routes below [`PREFIX`] and `base`, which is one of [`HOOKS`], [`LLM`] and
/// [`SPEECH`].
pub(crate) fn below(base: &str) -> Router<AppState> {
    let routes = ROUTES.iter().copied().flatten().chain(PUBLIC_ROUTES);
    let routes = routes.filter(|route| route.is_below(base));
    routes.fold(Router::new(), |router, route| {
        let path = route.path.trim_start_matches(base);
        let path = if path.is_empty() { "/" } else { path };
        router.route(path, (route.handler)())
    })
}

impl Route {
    fn is_below(&self, base: &str) -> bool {
        self.path.starts_with(base)
    }
}

const fn route(
    method: Method,
    path: &'static str,
    action: Action,
    handler: fn() -> MethodRouter<AppState>,
) -> Route {
    Route {
        method,
        path,
        action: Some(action),
        handler,
    }
}

/// A route that asks for no role.
const fn own(method: Method, path: &'static str, handler: fn() -> MethodRouter<AppState>) -> Route {
    Route {
        method,
        path,
        action: None,
        handler,
    }
}
