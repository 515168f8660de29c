use crate::{graph::fields::Fields, inputs::Template};

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
}
