use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

/// What expressions can see of a run. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Bindings {
    pub(super) trigger: Arc<Value>,
    pub(super) execution: Arc<Value>,
    pub(super) workflow: Arc<Value>,
    pub(super) outputs: BTreeMap<String, Arc<Value>>,
}

impl Bindings {
    /// Bindings with the trigger's payload only.
    pub fn new(trigger: Value) -> Self {
        Self {
            trigger: Arc::new(trigger),
            execution: Arc::new(json!({})),
            workflow: Arc::new(json!({})),
            outputs: BTreeMap::new(),
        }
    }

    /// With `execution.id` and `execution.startedAt`, an RFC 3339 string.
    #[must_use]
    pub fn with_execution(mut self, id: &str, started_at: &str) -> Self {
        self.execution = Arc::new(json!({ "id": id, "startedAt": started_at }));
        self
    }

    /// With `workflow.id` and `workflow.name`.
    #[must_use]
    pub fn with_workflow(mut self, id: &str, name: &str) -> Self {
        self.workflow = Arc::new(json!({ "id": id, "name": name }));
        self
    }

    /// Makes `nodes.<id>.output` known. A node that was skipped has none.
    pub fn set_output(&mut self, node_id: impl Into<String>, output: impl Into<Arc<Value>>) {
        self.outputs.insert(node_id.into(), output.into());
    }

    /// The trigger's payload.
    pub fn trigger(&self) -> &Value {
        &self.trigger
    }

    /// The output of a node that has run.
    pub fn output(&self, node_id: &str) -> Option<&Value> {
        self.outputs.get(node_id).map(Arc::as_ref)
    }
}
