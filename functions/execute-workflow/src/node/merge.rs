//! `merge`: joins branches, by its mode.

use serde_json::Value;
use shared::graph::{MergeData, MergeMode};

use super::{Outcome, Prepared, output::by_id};

/// The output of the first branch, or those of all that were taken by node id.
pub(super) fn prepare(data: MergeData, before: &[(&str, &Value)]) -> Prepared {
    let output = match (data.mode, before) {
        (MergeMode::First, [(_, first), ..]) => (*first).clone(),
        (MergeMode::First, []) => Value::Null,
        (MergeMode::All | MergeMode::Any, all) => by_id(all),
    };
    Prepared::Done(Outcome::of(output))
}
