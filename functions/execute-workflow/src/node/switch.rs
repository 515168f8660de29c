//! `switch`: follows the handle of the first case that holds, or `default`.

use serde_json::Value;
use shared::{
    graph::{SwitchData, handle},
    inputs::Bindings,
};

use super::{Failure, Outcome, Prepared};

pub(super) fn prepare(data: &SwitchData, bindings: &Bindings) -> Result<Prepared, Failure> {
    for case in &data.cases {
        if case.when.evaluate(bindings)? {
            let output = Value::from(case.handle.as_str());
            return Ok(Prepared::Done(Outcome::at(case.handle.clone(), output)));
        }
    }
    let output = Value::from(handle::DEFAULT);
    Ok(Prepared::Done(Outcome::at(handle::DEFAULT, output)))
}
