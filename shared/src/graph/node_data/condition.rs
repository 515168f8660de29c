use crate::{
    graph::{
        fields::Fields,
        schema::{self, Settings},
    },
    inputs::Condition,
};

/// Settings of a condition.
#[derive(Clone, Debug)]
pub struct ConditionData {
    /// Chooses between the handles `true` and `false`.
    pub expression: Condition,
}

impl ConditionData {
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let expression = fields.condition("expression")?;
        Some(Self { expression })
    }

    pub(super) fn schema() -> Settings {
        let about = "Follows `true` if it holds, `false` otherwise.";
        Settings::new("Condition", "Chooses one of two branches.")
            .required("expression", schema::condition(about))
    }
}
