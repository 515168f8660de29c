use serde::Deserialize;

use crate::graph::{
    fields::Fields,
    schema::{self, Settings},
};

/// Settings of a merge.
#[derive(Clone, Copy, Debug)]
pub struct MergeData {
    /// What it waits for.
    pub mode: MergeMode,
}

/// What a merge waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MergeMode {
    /// Every edge must be taken; it is skipped as soon as one is not.
    All,
    /// As any node: all edges are decided and one is taken.
    #[default]
    Any,
    /// One edge is taken; the others no longer matter.
    First,
}

impl MergeData {
    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        let mode = fields.optional("mode").unwrap_or_default();
        Self { mode }
    }

    pub(super) fn schema() -> Settings {
        let about = "What it waits for: all edges taken, all decided and any taken, or the first.";
        let mode = schema::choice(&["all", "any", "first"], about);
        Settings::new("Merge", "Brings branches together.")
            .optional("mode", schema::with_default(mode, "any"))
    }
}
