//! `transform`: makes a new value out of others.

use shared::{graph::TransformData, inputs::Bindings};

use super::{Failure, Outcome, Prepared};

pub(super) fn prepare(data: &TransformData, bindings: &Bindings) -> Result<Prepared, Failure> {
    Ok(Prepared::Done(Outcome::of(data.value.render(bindings)?)))
}
