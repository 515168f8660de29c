//! `wait`: goes on later. No instance is kept alive meanwhile.

use shared::{graph::WaitData, inputs::Bindings};

use super::{Failure, Prepared};

pub(super) fn prepare(data: &WaitData, bindings: &Bindings) -> Result<Prepared, Failure> {
    let duration = WaitData::duration(&data.seconds.render(bindings)?);
    let message = "`seconds` must be a number from 0 to 2592000 (30 days)";
    let duration = duration.ok_or_else(|| Failure::permanent("invalid_argument", message))?;
    Ok(Prepared::Wait { duration })
}
