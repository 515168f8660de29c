//! Where agents run: in the orchestration layer, or each in a Cloud Run service of its own.

mod cloud_run;
mod config;
mod service;

use async_trait::async_trait;
use serde_json::json;
use shared::{
    ids::{AgentId, OrgId, fingerprint},
    models::{Agent, AgentRuntime, Timestamp},
    retry::Transient,
};

pub use self::{cloud_run::CloudRun, config::CloudRunConfig};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why an agent's place is not as it has to be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Cloud Run cannot be reached or is overloaded; it may have done what was asked.
    #[error("the place where agents run is unavailable")]
    Unavailable(#[source] BoxError),
    /// Cloud Run refuses for good.
    #[error("the place where agents run refused: {0}")]
    Refused(String),
    /// A service of that name is there, and is not the agent's.
    #[error("a service that is not the agent's has its name")]
    Foreign,
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// How far an agent's place is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The agent can run there.
    Ready(AgentRuntime),
    /// It is being made.
    Pending,
    /// It cannot become ready; the reason is safe to show.
    Failed(String),
}

/// What is left of an agent's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remains {
    /// Nothing that is the agent's.
    Nothing,
    /// It is being removed.
    Going,
    /// It is there.
    Service {
        /// Tells whether somebody has changed it since.
        etag: String,
    },
}

/// Something that gives agents a place to run. Every call can be repeated, by anybody.
#[async_trait]
pub trait Orchestrator: Send + Sync {
    /// The place of an agent for which nothing has to be made: to write it down is enough.
    fn register(&self, agent: &Agent, now: Timestamp) -> Option<AgentRuntime>;

    /// Goes on making the agent's place as its configuration wants it, and tells how far it is.
    async fn ensure(&self, agent: &Agent, now: Timestamp) -> Result<Progress, Error>;

    /// What is left of the place of an agent.
    async fn remains(&self, org_id: &OrgId, id: &AgentId) -> Result<Remains, Error>;

    /// Begins to remove the place of an agent, if it is as it was seen.
    async fn remove(&self, id: &AgentId, etag: &str) -> Result<(), Error>;
}

/// The orchestration layer: executions load a registered agent by its id, so all there is to do is
/// to write down which configuration was deployed.
#[derive(Clone, Copy, Debug)]
pub struct Registered;

#[async_trait]
impl Orchestrator for Registered {
    fn register(&self, agent: &Agent, now: Timestamp) -> Option<AgentRuntime> {
        Some(AgentRuntime::Registered {
            revision: revision(agent),
            registered_at: now,
        })
    }

    async fn ensure(&self, agent: &Agent, now: Timestamp) -> Result<Progress, Error> {
        let runtime = self.register(agent, now);
        Ok(runtime.map_or(Progress::Pending, Progress::Ready))
    }

    async fn remains(&self, _org_id: &OrgId, _id: &AgentId) -> Result<Remains, Error> {
        Ok(Remains::Nothing)
    }

    async fn remove(&self, _id: &AgentId, _etag: &str) -> Result<(), Error> {
        Ok(())
    }
}

/// Fingerprint of everything that shapes what the agent says, does and remembers.
pub(crate) fn revision(agent: &Agent) -> String {
    let configuration = json!({
        "name": agent.name,
        "industry": agent.industry,
        "personality": agent.personality,
        "voiceConfig": agent.voice_config,
        "memoryDepth": agent.memory_depth,
        "systemPrompt": agent.system_prompt,
        "tools": agent.tools,
        "model": agent.model,
    });
    fingerprint(&["agent revision 1", &configuration.to_string()])
}
