use crate::{
    graph::{
        fields::Fields,
        schema::{self, Settings},
    },
    inputs::Template,
};

/// Settings of an output.
#[derive(Clone, Debug)]
pub struct OutputData {
    /// The run's output; without it, the output of the node before, or of those before by id.
    pub value: Option<Template>,
}

impl OutputData {
    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        let value = fields.optional_template("value");
        Self { value }
    }

    pub(super) fn schema() -> Settings {
        let about = "The run's output; without it, that of the node before, or those by node id.";
        Settings::new("Output", "Sets the output of the run.").optional("value", schema::any(about))
    }
}
