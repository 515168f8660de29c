//! The budget of an evaluation.
//!
//! The evaluator of the `cel` crate runs to the end whatever it costs. So every expression pays
//! for its terms, and [`super::rewrite`] wraps whatever can cost more in a call of [`CHARGE`]: the
//! operands of functions and operators and the elements of literals pay their weight, and the
//! range of a loop pays its weight and its length times the terms of the loop's body before the
//! loop runs. Functions pay for their results. No render does more than a constant times [`FUEL`]
//! steps, those for errors that `||` or `exists` absorb included.

use std::sync::atomic::{AtomicU64, Ordering};

use cel::{
    ExecutionError, FunctionContext,
    common::{
        types::{CelBytes, CelDouble, CelInt, CelList, CelMap, CelString},
        value::{CowVal, Val},
    },
};

/// Units that one render may spend: a value costs 1, text 1 more per [`BYTES_PER_UNIT`]. Measured
/// at 10 to 30 ms for the worst expressions, in a release build on a busy core.
pub(super) const FUEL: u64 = 200_000;

/// The function that pays for its first argument. Source text cannot name it.
pub(super) const CHARGE: &str = "@charge";

/// The function that pays for an index and lets no fraction pass.
pub(super) const CHARGE_INDEX: &str = "@index";

/// The function that pays for what is added, and lets no object pass: the evaluator would add its
/// keys, in an order that changes.
pub(super) const CHARGE_ADDEND: &str = "@add";

const BYTES_PER_UNIT: usize = 16;

/// What is left of the budget.
#[derive(Debug)]
pub(super) struct Meter {
    fuel: AtomicU64,
}

impl Meter {
    /// A full budget.
    pub(super) fn full() -> Self {
        Self {
            fuel: AtomicU64::new(FUEL),
        }
    }

    /// Whether an expression has asked for more than there was.
    pub(super) fn is_spent(&self) -> bool {
        self.fuel.load(Ordering::Relaxed) == 0
    }

    /// Takes units; from the first time that there are too few, every call fails.
    pub(super) fn spend(&self, units: u64) -> Result<(), ExecutionError> {
        let left = self.fuel.load(Ordering::Relaxed).saturating_sub(units);
        self.fuel.store(left, Ordering::Relaxed);
        if left == 0 {
            return Err(ExecutionError::function_error(CHARGE, "no fuel left"));
        }
        Ok(())
    }

    /// Pays for a value.
    pub(super) fn spend_for(&self, value: &dyn Val) -> Result<(), ExecutionError> {
        let left = self.fuel.load(Ordering::Relaxed);
        self.spend(weight(value, left))
    }

    /// [`CHARGE`]: hands its first argument back. The second one is the cost of each element that a
    /// loop goes over: of the keys, in order, where it is an object.
    pub(super) fn charge<'context, 'call>(
        &self,
        call: &mut FunctionContext<'context, 'call>,
    ) -> Result<CowVal<'context, 'call>, ExecutionError> {
        let per_element = call.args.pop().map_or(0, |cost| natural(cost.as_ref()));
        let value = only_argument(call)?;
        self.spend_for(value.as_ref())?;
        if per_element == 0 {
            return Ok(value);
        }
        self.spend(per_element.saturating_mul(length(value.as_ref())))?;
        Ok(in_order(value))
    }

    /// [`CHARGE_ADDEND`]: hands its argument back.
    pub(super) fn charge_addend<'context, 'call>(
        &self,
        call: &mut FunctionContext<'context, 'call>,
    ) -> Result<CowVal<'context, 'call>, ExecutionError> {
        let addend = only_argument(call)?;
        if addend.downcast_ref::<CelMap>().is_some() {
            let problem = "an object cannot be added: use merge";
            return Err(ExecutionError::function_error(CHARGE_ADDEND, problem));
        }
        self.spend_for(addend.as_ref())?;
        Ok(addend)
    }

    /// [`CHARGE_INDEX`]: hands its argument back.
    pub(super) fn charge_index<'context, 'call>(
        &self,
        call: &mut FunctionContext<'context, 'call>,
    ) -> Result<CowVal<'context, 'call>, ExecutionError> {
        let index = only_argument(call)?;
        if index.downcast_ref::<CelDouble>().is_some() {
            let problem = "an index is an integer or a text";
            return Err(ExecutionError::function_error(CHARGE_INDEX, problem));
        }
        self.spend_for(index.as_ref())?;
        Ok(index)
    }
}

/// The cost of a text.
pub(super) fn text_weight(text: &str) -> u64 {
    units(text.len())
}

/// The cost of a JSON value, counted no further than `limit`.
pub(super) fn json_weight(value: &serde_json::Value, limit: u64) -> u64 {
    use serde_json::Value;
    match value {
        Value::String(text) => text_weight(text),
        Value::Array(items) => sum(items.iter(), limit, json_weight),
        Value::Object(entries) => sum(entries.iter(), limit, |(key, value), limit| {
            text_weight(key) + json_weight(value, limit)
        }),
        _ => 1,
    }
}

/// A map hands its keys out as they lie in memory, which differs from run to run.
fn in_order<'context, 'call>(range: CowVal<'context, 'call>) -> CowVal<'context, 'call> {
    let Some(map) = range.downcast_ref::<CelMap>() else {
        return range;
    };
    let mut keys: Vec<_> = map.inner().keys().collect();
    keys.sort_unstable();
    let keys = keys.into_iter().map(|key| key.inner().clone_as_boxed());
    CowVal::owned(CelList::from(keys.collect::<Vec<_>>()))
}

fn only_argument<'context, 'call>(
    call: &mut FunctionContext<'context, 'call>,
) -> Result<CowVal<'context, 'call>, ExecutionError> {
    let argument = call.args.pop();
    argument.ok_or_else(ExecutionError::missing_argument_or_target)
}

fn natural(value: &dyn Val) -> u64 {
    let number = value
        .downcast_ref::<CelInt>()
        .map_or(0, |number| *number.inner());
    u64::try_from(number).unwrap_or(0)
}

fn length(value: &dyn Val) -> u64 {
    let length = value.as_sizer().map_or(0, |sizer| *sizer.size().inner());
    u64::try_from(length).unwrap_or(0)
}

fn weight(value: &dyn Val, limit: u64) -> u64 {
    if let Some(text) = value.downcast_ref::<CelString>() {
        text_weight(text.inner())
    } else if let Some(bytes) = value.downcast_ref::<CelBytes>() {
        units(bytes.inner().len())
    } else if let Some(list) = value.downcast_ref::<CelList>() {
        sum(list.inner().iter(), limit, |item, limit| {
            weight(item.as_ref(), limit)
        })
    } else if let Some(map) = value.downcast_ref::<CelMap>() {
        sum(map.inner().iter(), limit, |(key, value), limit| {
            weight(key.inner(), limit) + weight(value.as_ref(), limit)
        })
    } else {
        1
    }
}

fn units(bytes: usize) -> u64 {
    u64::try_from(bytes / BYTES_PER_UNIT).map_or(u64::MAX, |units| units.saturating_add(1))
}

fn sum<T>(items: impl Iterator<Item = T>, limit: u64, weight: impl Fn(T, u64) -> u64) -> u64 {
    let mut total = 1;
    for item in items {
        total += weight(item, limit.saturating_sub(total));
        if total > limit {
            break;
        }
    }
    total
}
