use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use shared::{
    ids::AgentId,
    models::{Agent, AgentStatus, DeployState, ExecutionStatus, Presence, Timestamp},
    store::{
        agents,
        document_db::{Document, DocumentDb, DocumentPath, Error, Query, Write},
    },
    testing::{self, MemoryDb, ScriptedLlm},
};

use crate::app::{App, NOW, edge, node, org_id};

fn now() -> Timestamp {
    NOW.parse::<jiff::Timestamp>().unwrap().into()
}

pub(crate) fn agent() -> Agent {
    Agent {
        status: AgentStatus::Active,
        deploy_state: DeployState::Deployed,
        model: String::new(),
        ..testing::agent(org_id(), "a1", now())
    }
}

/// Runs two prompts to agent `a1` after each other.
async fn run(app: &App) -> ExecutionStatus {
    let write = agents::create(&agent()).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    let prompt = json!({ "agentId": "a1", "prompt": "Hello" });
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("first", "agent", prompt.clone()),
        node("second", "agent", prompt),
    ]);
    let edges = json!([edge("start", "first"), edge("first", "second")]);
    app.save(nodes, edges).await;
    app.run(json!({})).await.status
}

fn is_beat(write: &Write) -> bool {
    write.path.as_str().starts_with("agents/")
}

#[tokio::test]
async fn an_agent_at_work_is_seen_and_written_once() {
    let app = App::new(Arc::new(ScriptedLlm::new(|_| Ok("Hi".to_owned())))).await;
    assert_eq!(run(&app).await, ExecutionStatus::Succeeded);
    let id = AgentId::parse("a1").unwrap();
    let agent = app.store.find_agent(&org_id(), &id).await.unwrap();
    assert_eq!(agent.unwrap().value.presence, Presence::at(now()));
    let commits = app.db.commits();
    let beats = commits.iter().flatten().filter(|write| is_beat(write));
    assert_eq!(beats.count(), 2, "its creation and one beat");
}

/// A database that takes no beats.
struct TakesNoBeats(Arc<MemoryDb>);

#[async_trait]
impl DocumentDb for TakesNoBeats {
    async fn get(&self, path: &DocumentPath) -> Result<Option<Document>, Error> {
        self.0.get(path).await
    }

    async fn query(&self, query: &Query) -> Result<Vec<Document>, Error> {
        self.0.query(query).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Timestamp, Error> {
        if writes.iter().any(is_beat) {
            return Err(Error::Unavailable("the connection broke".into()));
        }
        self.0.commit(writes).await
    }
}

#[tokio::test]
async fn a_beat_that_is_lost_does_not_cost_the_call() {
    let db = Arc::new(MemoryDb::new());
    let faulty = Arc::new(TakesNoBeats(db.clone()));
    let llm = Arc::new(ScriptedLlm::new(|_| Ok("Hi".to_owned())));
    let app = App::on(db, Some(faulty), llm).await;
    assert_eq!(run(&app).await, ExecutionStatus::Succeeded);
}
