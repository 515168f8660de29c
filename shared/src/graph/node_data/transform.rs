use crate::{
    graph::{
        fields::Fields,
        schema::{self, Settings},
    },
    inputs::Template,
};

/// Settings of a transformation.
#[derive(Clone, Debug)]
pub struct TransformData {
    /// The node's output.
    pub value: Template,
}

impl TransformData {
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let value = fields.template("value")?;
        Some(Self { value })
    }

    pub(super) fn schema() -> Settings {
        Settings::new("Transform", "Computes a value.")
            .required("value", schema::any("The output."))
    }
}
