//! What an agent does in one turn: it asks its model, does what it may, and remembers.

mod conversations;
mod injections;
mod knowledge;
mod memories;
mod tools;

use std::sync::Arc;

use serde_json::{Value, json};
use shared::{
    ids::{AgentId, RecordId, Uid},
    llm::{ChatRequest, Message, Part, Role as Speaker, SharedProvider},
    models::{
        Agent, Execution, IntegrationService, IntegrationStatus, Role, Session, SubscriptionTier,
        Timestamp, Trigger, TriggerSource, TriggerType, User, UserSettings,
    },
    store::{agents, organizations, sessions, users},
    testing::{RecordingActions, Said, ScriptedLlm},
};

use crate::{
    actions::paused::integrate,
    agents::agent,
    app::{App, NOW, edge, node, org_id, trigger},
};

const SEARCH: &str = "google.gmail.search";
const SEND: &str = "google.gmail.send";

pub(crate) fn agent_id() -> AgentId {
    AgentId::parse("a1").unwrap()
}

fn session_id() -> RecordId {
    RecordId::parse("s1").unwrap()
}

fn uid() -> Uid {
    Uid::parse("u1").unwrap()
}

pub(crate) async fn change_tier(app: &App, tier: SubscriptionTier) {
    let organization = app.store.find_organization(&org_id()).await;
    let mut organization = organization.unwrap().unwrap();
    organization.value.subscription_tier = tier;
    let writes = vec![organizations::replace(&organization).unwrap()];
    app.store.commit(writes).await.unwrap();
}

pub(crate) fn now() -> Timestamp {
    NOW.parse::<jiff::Timestamp>().unwrap().into()
}

/// Agent `a1` with these grants, and a member `u1` who has begun the conversation `s1` with it.
pub(crate) async fn app(
    llm: SharedProvider,
    actions: &Arc<RecordingActions>,
    grants: &[&str],
) -> App {
    let app = App::acting(llm, actions).await;
    seed(&app, grants).await;
    app
}

async fn seed(app: &App, grants: &[&str]) {
    let agent = Agent {
        tools: grants.iter().map(|&name| name.to_owned()).collect(),
        ..agent()
    };
    let session = Session::new(session_id(), &org_id(), &agent_id(), Some(&uid()), now());
    let writes = vec![
        agents::create(&agent).unwrap(),
        sessions::create(&session).unwrap(),
        users::create(&member(Role::User)).unwrap(),
    ];
    app.store.commit(writes).await.unwrap();
    for (id, service) in [
        ("google", IntegrationService::Google),
        ("github", IntegrationService::Github),
    ] {
        integrate(app, id, service, IntegrationStatus::Connected).await;
    }
}

pub(crate) fn member(role: Role) -> User {
    User {
        uid: uid(),
        email: Some("ada@example.com".to_owned()),
        role,
        organization_id: org_id(),
        created_at: now(),
        settings: UserSettings::default(),
        disabled: false,
        tokens_valid_after: None,
    }
}

/// What the API writes when `u1` says something to the agent.
fn message(id: &str, text: &str) -> Trigger {
    let payload = json!({ "agentId": "a1", "sessionId": "s1", "text": text });
    Trigger {
        id: id.parse().unwrap(),
        workflow_id: Session::workflow_of(&org_id(), &agent_id()),
        kind: TriggerType::Message,
        source: TriggerSource {
            function: "api".to_owned(),
            uid: Some(uid()),
        },
        ..trigger(payload)
    }
}

/// Saves a workflow in which agent `a1` is asked something, in a conversation that goes on.
async fn save_turn(app: &App, prompt: &str) {
    let data = json!({ "agentId": "a1", "prompt": prompt, "session": "customer-1" });
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("agent", "agent", data)
    ]);
    app.save(nodes, json!([edge("start", "agent")])).await;
}

/// A run of it that nobody in particular has started.
async fn run_unattended(app: &App) -> Execution {
    let mut trigger = trigger(json!({}));
    trigger.kind = TriggerType::Schedule;
    app.deliver(&trigger).await;
    app.settle().await;
    app.execution().await
}

/// The run in which the agent answers to `text`, as far as it gets by itself.
pub(crate) async fn say(app: &App, text: &str) -> Execution {
    app.deliver(&message("t1", text)).await;
    app.settle().await;
    app.execution().await
}

fn answer(execution: &Execution) -> String {
    let output = execution.output.as_ref().map(|output| &output.0["text"]);
    output
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// What tools have come to, as the model was told in `request`.
fn results(request: &ChatRequest) -> Vec<String> {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let results = parts.filter_map(|part| match part {
        Part::ToolResult { content, .. } => Some(content.clone()),
        _ => None,
    });
    results.collect()
}

/// A model that makes these calls in turn, one for each question, and then says `done`.
fn calling(calls: Vec<(&'static str, Value)>) -> Arc<ScriptedLlm> {
    Arc::new(ScriptedLlm::acting(move |request| {
        Ok(match calls.get(results(request).len()) {
            Some((name, arguments)) => Said::calling(name, arguments),
            None => "done".into(),
        })
    }))
}

fn last_user(request: &ChatRequest) -> String {
    let mut messages = request.messages.iter().rev();
    let last = messages.find(|message| message.role == Speaker::User);
    last.map(Message::text).unwrap_or_default()
}
