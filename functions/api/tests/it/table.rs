use api::ROUTES;
use http::Method;
use serde_json::{Value, json};
use shared::{
    auth::Action,
    models::{AgentStatus, ExecutionStatus, Role},
};

use crate::{
    app::{TestApp, agent_request, workflow_request},
    seeds,
};

/// A route with a request that `admin` may make.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// With `{id}` for the id of something in `o1`, and perhaps the node of `seeds::stored_step`,
    /// the caller's own conversation, or the memory `r1`.
    path: &'static str,
    id: &'static str,
    query: &'static str,
    pub(crate) body: Option<Value>,
    pub(crate) status: u16,
}

fn completion() -> Value {
    json!({ "model": "gpt-4.1-mini", "messages": [{ "role": "user", "content": "Hello" }] })
}

/// The scripted model has none.
fn embeddings() -> Value {
    json!({ "model": "text-embedding-3-small", "input": "Hello" })
}

/// Every route of the API.
pub(crate) fn routes() -> Vec<Route> {
    let name = json!({ "name": "Bob" });
    let cancel = json!({ "status": "cancelled" });
    let start = json!({ "workflowId": "w1" });
    vec![
        get("/me", ""),
        // The last admin stays.
        without_body(Method::DELETE, "/me", "", 400),
        get("/me/export", ""),
        without_body(Method::POST, "/me/sessions/revoke", "", 204),
        get("/audit", ""),
        get("/audit/export", ""),
        get("/organization", ""),
        write(Method::POST, "/agents/create", "", agent_request(), 201),
        write(Method::POST, "/agents", "", agent_request(), 201),
        get("/agents", ""),
        get("/agents/{id}", "a1"),
        get("/agents/{id}/status", "a1"),
        write(Method::PATCH, "/agents/{id}", "a1", name.clone(), 200),
        delete("/agents/{id}", "a1"),
        write(Method::POST, "/workflows", "", workflow_request(), 201),
        get("/workflows", ""),
        get("/workflows/{id}", "w1"),
        write(
            Method::PUT,
            "/workflows/{id}",
            "w1",
            workflow_request(),
            200,
        ),
        write(Method::PATCH, "/workflows/{id}", "w1", name, 200),
        delete("/workflows/{id}", "w1"),
        write(
            Method::POST,
            "/workflows/trigger/{id}",
            "w1",
            json!({}),
            202,
        ),
        write(Method::POST, "/executions", "", start, 202),
        get("/executions", ""),
        get("/executions/{id}", "running"),
        get("/executions/{id}/steps", "running"),
        get("/executions/{id}/logs", "running"),
        write(Method::PATCH, "/executions/{id}", "running", cancel, 200),
        delete("/executions/{id}", "ended"),
        get("/analytics/usage", ""),
        get("/analytics/usage.csv", ""),
        get("/analytics/usage.svg", ""),
    ]
    .into_iter()
    .chain(memory_routes())
    .chain(knowledge_routes())
    .chain(llm_routes())
    .chain(conversation_routes())
    .chain(training_routes())
    .chain(steering_routes())
    .chain(views())
    .chain(membership_routes())
    .chain(billing_routes())
    .chain(integration_routes())
    .collect()
}

fn memory_routes() -> [Route; 4] {
    [
        get("/agents/{id}/memories", "a1"),
        get("/agents/{id}/memories/export", "a1"),
        without_body(Method::DELETE, "/agents/{id}/memories", "a1", 200),
        delete("/agents/{id}/memories/{memoryId}", "a1"),
    ]
}

fn llm_routes() -> Vec<Route> {
    vec![
        get("/llm/models", ""),
        write(Method::POST, "/llm/chat/completions", "", completion(), 200),
        write(Method::POST, "/llm/embeddings", "", embeddings(), 400),
        get("/llm/routes", ""),
        write(Method::PUT, "/llm/routes/{alias}", "", llm_route(), 200),
        delete("/llm/routes/{alias}", ""),
    ]
}

fn conversation_routes() -> Vec<Route> {
    let message = json!({ "text": "Hello" });
    vec![
        write(
            Method::POST,
            "/agents/{id}/speech",
            "working",
            message.clone(),
            200,
        ),
        write(
            Method::POST,
            "/agents/{id}/messages",
            "working",
            message,
            202,
        ),
        get("/agents/{id}/sessions", "working"),
        get("/agents/{id}/sessions/{sessionId}/messages", "working"),
        delete("/agents/{id}/sessions/{sessionId}", "working"),
        without_body(Method::PUT, APPROVAL, "working", 204),
        delete(APPROVAL, "approved"),
    ]
}

const APPROVAL: &str = "/agents/{id}/sessions/{sessionId}/approval";

/// `o1` and `o2` have tiers without fine-tuning.
fn training_routes() -> Vec<Route> {
    let order = json!({ "baseModel": "gpt-4.1-mini-2025-04-14" });
    let cancel = "/agents/{id}/tunings/{tuningId}/cancel";
    vec![
        without_body(Method::GET, "/agents/{id}/dataset", "working", 400),
        write(Method::POST, "/agents/{id}/tunings", "working", order, 400),
        get("/agents/{id}/tunings", "working"),
        get("/agents/{id}/tunings/{tuningId}", "working"),
        without_body(Method::POST, cancel, "working", 200),
    ]
}

fn steering_routes() -> Vec<Route> {
    let approve = json!({ "decision": "approve" });
    let decide = "/approvals/{id}/decisions";
    let rerun = without_body(Method::POST, "/executions/{id}/rerun", "ended", 202);
    vec![
        Route {
            query: "?from=start",
            ..rerun
        },
        get("/workflows/{id}/webhooks", "w1"),
        get("/approvals", ""),
        get("/approvals/{id}", "p1"),
        write(Method::POST, decide, "p1", approve, 200),
    ]
}

/// What shows a graph or a run.
fn views() -> Vec<Route> {
    vec![
        get("/nodes", ""),
        get("/workflows/{id}/graph.svg", "w1"),
        get("/workflows/{id}/graph.mmd", "w1"),
        // A stream lasts as long as the execution.
        get("/executions/{id}/stream", "ended"),
        get("/executions/{id}/graph.svg", "running"),
        get("/executions/{id}/graph.mmd", "running"),
        get("/executions/{id}/steps/{nodeId}/body", "running"),
    ]
}

/// `admin` is the only admin of `o1`, so it can neither leave nor have another organization.
/// Nothing is sold here: there is no account at Stripe.
fn billing_routes() -> [Route; 5] {
    let cap = json!({ "monthlyTokens": 1_000 });
    let page = "https://app.example.com/billing";
    let checkout = json!({ "tier": "pro", "returnUrl": page });
    let portal = json!({ "returnUrl": page });
    let plan = json!({ "tier": "pro" });
    [
        get("/billing", ""),
        write(Method::PUT, "/billing/cap", "", cap, 200),
        write(Method::POST, "/billing/plan", "", plan, 400),
        write(Method::POST, "/billing/checkout-session", "", checkout, 400),
        write(Method::POST, "/billing/portal-session", "", portal, 400),
    ]
}

fn membership_routes() -> Vec<Route> {
    let name = json!({ "name": "Engines" });
    let address = json!({ "email": "guest@example.com", "role": "user" });
    let token = json!({ "token": "o1.i1.0" });
    vec![
        write(Method::POST, "/organizations", "", name.clone(), 400),
        write(Method::PATCH, "/organization", "", name, 200),
        without_body(Method::POST, "/organization/leave", "", 400),
        get("/members", ""),
        write(
            Method::PATCH,
            "/members/{id}",
            "m1",
            json!({ "role": "viewer" }),
            200,
        ),
        delete("/members/{id}", "m1"),
        write(Method::POST, "/organization/invitations", "", address, 201),
        get("/organization/invitations", ""),
        delete("/organization/invitations/{id}", "i1"),
        write(Method::POST, "/invitations/accept", "", token, 404),
        without_body(Method::POST, "/agents/{id}/heartbeat", "a1", 204),
        without_body(Method::POST, "/agents/{id}/pause", "working", 200),
        without_body(Method::POST, "/agents/{id}/resume", "resting", 200),
        without_body(Method::POST, "/agents/{id}/archive", "resting", 200),
    ]
}

/// `o1` has a tier without Google Workspace.
fn knowledge_routes() -> [Route; 1] {
    let query = json!({ "query": "tea" });
    [write(Method::POST, "/knowledge/search", "", query, 400)]
}

/// `o1` has a tier without Google Workspace.
fn integration_routes() -> Vec<Route> {
    let key = json!({ "key": "ghp_1" });
    let stripe = json!({ "service": "stripe", "key": "sk_1" });
    let reconnect = "/integrations/{id}/reconnect";
    let consent = "/integrations/google/auth";
    let callback = "/integrations/google/callback";
    let unknown = json!({ "state": "none", "code": "none" });
    vec![
        write(Method::POST, consent, "", json!({}), 400),
        write(Method::POST, callback, "", unknown, 400),
        get("/integrations", ""),
        write(Method::POST, "/integrations", "", stripe, 201),
        get("/integrations/{id}", "n1"),
        write(Method::POST, reconnect, "n1", key, 200),
        without_body(Method::DELETE, "/integrations/{id}", "n1", 200),
    ]
    .into_iter()
    .chain(sync_routes())
    .collect()
}

/// Of `n1`, nothing is synced; `g1` is an account of Google.
fn sync_routes() -> [Route; 4] {
    let share = json!({ "sharesKnowledge": true });
    let sync = "/integrations/{id}/sync";
    [
        write(Method::PATCH, "/integrations/{id}", "g1", share, 200),
        get(sync, "g1"),
        without_body(Method::POST, sync, "n1", 400),
        without_body(Method::GET, "/integrations/{id}/sync/stream", "n1", 400),
    ]
}

impl Route {
    pub(crate) fn has_id(&self) -> bool {
        self.path.contains("{id}")
    }

    /// What the API says that the route needs.
    pub(crate) fn action(&self) -> Option<Action> {
        let mut routes = ROUTES.iter().copied().flatten();
        let declared = routes.find(|one| one.method == self.method && one.path == self.path);
        declared.unwrap().action
    }

    /// Method and path, as the API declares them.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The path to what is there.
    pub(crate) fn path(&self) -> String {
        self.path_with(self.id)
    }

    /// The path to another organization's.
    pub(crate) fn foreign_path(&self) -> String {
        self.path_with(&foreign(self.id))
    }

    pub(crate) fn path_with(&self, id: &str) -> String {
        let path = self.path.replace("{id}", id).replace("{nodeId}", "work");
        let path = path.replace("{sessionId}", "admin");
        let path = path.replace("{memoryId}", "r1");
        let path = path.replace("{alias}", ALIAS).replace("{tuningId}", TUNING);
        format!("{path}{}", self.query)
    }
}

/// A route to models that each organization has.
const ALIAS: &str = "fast";

/// A tuning that each organization has.
const TUNING: &str = "t1";

/// What the id of another organization's thing begins with.
pub(crate) const FOREIGN: &str = "foreign-";

/// The id of the same kind of thing in organization `o2`.
pub(crate) fn foreign(id: &str) -> String {
    format!("{FOREIGN}{id}")
}

/// An application in which every route's thing exists, in `o1` and in `o2`.
pub(crate) async fn seeded_app() -> TestApp {
    let app = TestApp::new().await;
    seed(&app).await;
    app
}

/// Makes every route's thing exist.
pub(crate) async fn seed(app: &TestApp) {
    for key in ["sk_1", "other", "ghp_1"] {
        app.service.accept(key, &seeds::account(None));
    }
    for (org_id, prefix) in [("o1", ""), ("o2", FOREIGN)] {
        let id = |id: &str| format!("{prefix}{id}");
        let mut writes = vec![
            seeds::agent(&id("a1")),
            seeds::memory(&id("a1"), "r1"),
            seeds::deployed_agent(&id("working"), AgentStatus::Active),
            seeds::deployed_agent(&id("resting"), AgentStatus::Paused),
            seeds::deployed_agent(&id("approved"), AgentStatus::Active),
            seeds::workflow(&id("w1")),
            seeds::user(&id("m1"), org_id, Role::User),
            seeds::invitation(&id("i1"), org_id),
            seeds::approval(&id("p1"), &id("running")),
        ];
        for (name, status, age) in [
            ("running", ExecutionStatus::Running, 1),
            ("ended", ExecutionStatus::Succeeded, 2),
        ] {
            writes.extend(seeds::execution_of(&id("w1"), &id(name), status, age));
            let (step, object) = seeds::stored_step(org_id, &id(name), "text/html");
            app.bucket.put(&object, seeds::PAGE);
            writes.push(step);
        }
        writes.extend(seeds::integration(&id("n1"), "admin"));
        writes.extend(seeds::google_integration(&id("g1"), "user"));
        for uid in ["admin", "user", "stranger"] {
            writes.push(seeds::session(&id("working"), uid));
            writes.push(seeds::approved_session(&id("approved"), uid));
        }
        writes.push(seeds::tuning(&id("working"), TUNING));
        writes.push(seeds::llm_route(org_id, ALIAS));
        for write in writes {
            // One at a time: both executions keep the version that they share.
            let write = seeds::of_organization(org_id, write);
            app.store.commit(vec![write]).await.unwrap();
        }
    }
}

fn llm_route() -> Value {
    let candidate = json!({ "provider": "openai", "model": "gpt-4.1-mini" });
    json!({ "steps": [{ "candidates": [candidate] }] })
}

fn get(path: &'static str, id: &'static str) -> Route {
    without_body(Method::GET, path, id, 200)
}

fn delete(path: &'static str, id: &'static str) -> Route {
    without_body(Method::DELETE, path, id, 204)
}

fn without_body(method: Method, path: &'static str, id: &'static str, status: u16) -> Route {
    Route {
        method,
        path,
        id,
        query: "",
        body: None,
        status,
    }
}

fn write(method: Method, path: &'static str, id: &'static str, body: Value, status: u16) -> Route {
    Route {
        method,
        path,
        id,
        query: "",
        body: Some(body),
        status,
    }
}
