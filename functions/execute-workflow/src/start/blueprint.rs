//! What a new execution runs.

use std::sync::Arc;

use serde_json::Value;
use shared::{
    graph::{Graph, NodeData, RunSettings},
    ids::{AgentId, OrgId, WorkflowId},
    models::{ExecutionError, Rerun, Timestamp, Trigger, TriggerType, Workflow, WorkflowVersion},
    store::Error,
};

use super::{conversation, paused};
use crate::{AppState, version};

/// A workflow at one moment: its pinned graph, or why it cannot be run.
pub(super) struct Blueprint {
    pub(super) workflow_name: String,
    pub(super) version: WorkflowVersion,
    pub(super) settings: RunSettings,
    pub(super) graph: Result<Arc<Graph>, ExecutionError>,
}

impl Blueprint {
    /// What a trigger starts: the workflow as it is now, or the version that is to be repeated.
    pub(super) async fn of_trigger(state: &AppState, trigger: &Trigger) -> Result<Self, Error> {
        if trigger.kind == TriggerType::Message {
            return Self::of_message(state, trigger).await;
        }
        let store = &state.store;
        let (org_id, workflow_id) = (&trigger.org_id, &trigger.workflow_id);
        let workflow = store.find_workflow(org_id, workflow_id).await?;
        let workflow = workflow.map(|workflow| workflow.value);
        let starts_by_itself = !matches!(
            trigger.kind,
            TriggerType::Manual | TriggerType::Rerun | TriggerType::Workflow
        );
        let now = Timestamp::from(state.clock.now());
        let (name, graph) = match (&trigger.options.rerun, workflow) {
            (Some(rerun), workflow) => {
                let name = workflow.map(|workflow| workflow.name).unwrap_or_default();
                (name, Self::repeated(state, trigger, rerun).await?)
            }
            (None, None) => {
                let message = "the workflow does not exist".to_owned();
                (String::new(), Err(version::refusal("not_found", message)))
            }
            (None, Some(workflow)) if starts_by_itself && !workflow.active => {
                let message = "the workflow is not active".to_owned();
                let refusal = version::refusal("failed_precondition", message);
                (workflow.name, Err(refusal))
            }
            (None, Some(workflow)) => current(workflow),
        };
        let mut blueprint = Self::new(state, trigger, name, graph, now);
        if starts_by_itself && let Ok(graph) = &blueprint.graph {
            let refusal = paused::refusal(store, org_id, graph).await?;
            if let Some(refusal) = refusal {
                blueprint.graph = Err(refusal);
            }
        }
        Ok(blueprint)
    }

    /// What a person's message to an agent starts.
    async fn of_message(state: &AppState, trigger: &Trigger) -> Result<Self, Error> {
        let (nodes, edges) = (conversation::nodes(), conversation::edges());
        let drawing = Ok(Drawing { nodes, edges });
        let now = Timestamp::from(state.clock.now());
        let id = trigger.payload.0["agentId"].as_str().map(AgentId::parse);
        let agent = match &id {
            Some(Ok(id)) => state.store.find_agent(&trigger.org_id, id).await?,
            _ => None,
        };
        let name = agent.map(|agent| agent.value.name).unwrap_or_default();
        Ok(Self::new(state, trigger, name, drawing, now))
    }

    /// The nodes and edges that an earlier run was pinned to.
    async fn repeated(
        state: &AppState,
        trigger: &Trigger,
        rerun: &Rerun,
    ) -> Result<Result<Drawing, ExecutionError>, Error> {
        let (org_id, workflow_id) = (&trigger.org_id, &trigger.workflow_id);
        let hash = &rerun.workflow_version;
        let found = state
            .store
            .find_workflow_version(org_id, workflow_id, hash)
            .await?;
        let missing = || version::refusal("not_found", "the workflow's version is gone".to_owned());
        Ok(found.ok_or_else(missing).map(|version| Drawing {
            nodes: version.nodes.into_items(),
            edges: version.edges.into_items(),
        }))
    }

    fn new(
        state: &AppState,
        trigger: &Trigger,
        workflow_name: String,
        drawing: Result<Drawing, ExecutionError>,
        now: Timestamp,
    ) -> Self {
        let (org_id, workflow_id) = (&trigger.org_id, &trigger.workflow_id);
        let graph = drawing.as_ref().map_err(Clone::clone).and_then(|drawing| {
            let graph = drawing.parse(state)?;
            check_payload(&graph, &trigger.payload.0)?;
            Ok(Arc::new(graph))
        });
        // A refused run needs no graph, which may be too large to be kept.
        let drawing = drawing.ok().filter(|_| graph.is_ok()).unwrap_or_default();
        Self {
            workflow_name,
            version: drawing.pin(org_id, workflow_id, now),
            settings: graph
                .as_ref()
                .map(|graph| settings(graph))
                .unwrap_or_default(),
            graph,
        }
    }
}

/// Nodes and edges as they were drawn.
#[derive(Default)]
struct Drawing {
    nodes: Vec<Value>,
    edges: Vec<Value>,
}

impl Drawing {
    fn parse(&self, state: &AppState) -> Result<Graph, ExecutionError> {
        let bytes = [&self.nodes, &self.edges].map(|items| text_len(items));
        if bytes.iter().sum::<usize>() > version::MAX_BYTES {
            let message = "the workflow is too large to run".to_owned();
            return Err(version::refusal("failed_precondition", message));
        }
        version::parse(&self.nodes, &self.edges, &state.settings.graph_limits)
    }

    fn pin(self, org_id: &OrgId, workflow_id: &WorkflowId, now: Timestamp) -> WorkflowVersion {
        version::pin(org_id, workflow_id, self.nodes, self.edges, now)
    }
}

fn current(workflow: Workflow) -> (String, Result<Drawing, ExecutionError>) {
    let Workflow {
        name, nodes, edges, ..
    } = workflow;
    (name, Ok(Drawing { nodes, edges }))
}

fn check_payload(graph: &Graph, payload: &Value) -> Result<(), ExecutionError> {
    graph
        .check_payload(payload)
        .map_err(|invalid| version::refusal("invalid_argument", version::describe(&invalid)))
}

fn settings(graph: &Graph) -> RunSettings {
    match &graph.trigger().data {
        NodeData::Trigger(trigger) => trigger.settings.clone(),
        _ => RunSettings::default(),
    }
}

fn text_len(items: &[Value]) -> usize {
    items.iter().map(|item| item.to_string().len() + 1).sum()
}
