use std::sync::{Arc, OnceLock};

use rpds::HashTrieMapSync;
use serde_json::{Value, json};

use super::library::Library;

/// What expressions can see of a run. Cloning it is cheap: clones share what they have in common.
#[derive(Clone, Debug)]
pub struct Bindings {
    pub(super) trigger: Arc<Value>,
    pub(super) execution: Arc<Value>,
    pub(super) workflow: Arc<Value>,
    outputs: HashTrieMapSync<String, Arc<Value>>,
    innermost: Option<Arc<Iteration>>,
    /// Made when the first expression needs it.
    library: Arc<OnceLock<Library>>,
}

/// One round of a loop.
#[derive(Debug)]
pub(super) struct Iteration {
    loop_id: String,
    pub(super) item: Arc<Value>,
    pub(super) index: usize,
    outer: Option<Arc<Iteration>>,
}

impl Bindings {
    /// Bindings with the trigger's payload only.
    pub fn new(trigger: Value) -> Self {
        Self {
            trigger: Arc::new(trigger),
            execution: Arc::new(json!({})),
            workflow: Arc::new(json!({})),
            outputs: HashTrieMapSync::new_sync(),
            innermost: None,
            library: Arc::default(),
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

    /// Bindings for one round of a loop: with its `item` and `index`, and with the outputs so far.
    /// What is set in them later is not seen outside, nor the other way round.
    #[must_use]
    pub fn with_loop(&self, loop_id: &str, item: Arc<Value>, index: usize) -> Self {
        let iteration = Iteration {
            loop_id: loop_id.to_owned(),
            item,
            index,
            outer: self.innermost.clone(),
        };
        Self {
            innermost: Some(Arc::new(iteration)),
            ..self.clone()
        }
    }

    /// Makes `nodes.<id>.output` known. A node that was skipped has none.
    pub fn set_output(&mut self, node_id: impl Into<String>, output: impl Into<Arc<Value>>) {
        self.outputs.insert_mut(node_id.into(), output.into());
    }

    /// The trigger's payload.
    pub fn trigger(&self) -> &Value {
        &self.trigger
    }

    /// The output of a node that has run.
    pub fn output(&self, node_id: &str) -> Option<&Value> {
        self.outputs.get(node_id).map(Arc::as_ref)
    }

    /// The functions.
    pub(super) fn library(&self) -> &Library {
        self.library.get_or_init(Library::new)
    }

    /// The innermost loop's round.
    pub(super) fn innermost(&self) -> Option<&Iteration> {
        self.innermost.as_deref()
    }

    /// The round of the loop with an id, the innermost if several have it.
    pub(super) fn iteration(&self, loop_id: &str) -> Option<&Iteration> {
        let mut around = std::iter::successors(self.innermost(), |inner| inner.outer.as_deref());
        around.find(|iteration| iteration.loop_id == loop_id)
    }
}
