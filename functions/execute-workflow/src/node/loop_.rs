//! `loop`: runs its body for every item of a list.

use std::sync::Arc;

use serde_json::Value;
use shared::{graph::LoopData, inputs::Bindings};

use super::{Failure, Prepared};

pub(super) fn prepare(data: &LoopData, bindings: &Bindings) -> Result<Prepared, Failure> {
    let Value::Array(items) = data.items.render(bindings)? else {
        return Err(Failure::permanent(
            "invalid_argument",
            "`items` is not a list",
        ));
    };
    let (found, most) = (items.len(), data.max_items);
    if found > most as usize {
        let message = format!("`items` has {found} items; `maxItems` allows {most}");
        return Err(Failure::permanent("limit_exceeded", message));
    }
    Ok(Prepared::Items(items.into_iter().map(Arc::new).collect()))
}
