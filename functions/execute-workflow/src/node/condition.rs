//! `condition`: follows the handle `true` or `false`.

use serde_json::json;
use shared::{
    graph::{ConditionData, handle},
    inputs::Bindings,
};

use super::{Failure, Outcome, Prepared};

pub(super) fn prepare(data: &ConditionData, bindings: &Bindings) -> Result<Prepared, Failure> {
    let holds = data.expression.evaluate(bindings)?;
    let handle = if holds { handle::TRUE } else { handle::FALSE };
    Ok(Prepared::Done(Outcome::at(handle, json!(holds))))
}
