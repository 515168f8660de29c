use crate::{
    graph::{
        fields::Fields,
        schema::{self, Settings},
        settings::RunLimits,
    },
    inputs::Template,
};

/// Settings of a sub-workflow.
#[derive(Clone, Debug)]
pub struct WorkflowData {
    /// The workflow to run; expressions are allowed.
    pub workflow_id: Template,
    /// Its payload; without it, an empty one.
    pub payload: Option<Template>,
    /// What its run may use, whatever its own trigger allows.
    pub limits: RunLimits,
}

impl WorkflowData {
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let workflow_id = fields.text("workflowId");
        let payload = fields.optional_template("payload");
        let limits = RunLimits::read(fields, "limits");
        Some(Self {
            workflow_id: workflow_id?,
            payload,
            limits,
        })
    }

    pub(super) fn schema() -> Settings {
        let payload = schema::any("Its payload; without it, an empty one.");
        Settings::new(
            "Workflow",
            "Runs another workflow; its output is that of the run.",
        )
        .required("workflowId", schema::text("The workflow."))
        .optional("payload", payload)
        .optional("limits", RunLimits::schema().into_field())
    }
}
