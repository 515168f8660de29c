//! JSON to CEL and back: integers stay integers, floats floats.

use std::collections::{BTreeMap, HashMap};

use cel::common::{
    types::{
        CelBool, CelDouble, CelDuration, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString,
        CelTimestamp, CelUInt,
    },
    value::Val,
};
use serde_json::{Number, Value};

use super::MAX_DEPTH;

/// Why a CEL value is not a JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// Not representable; says what it is.
    Kind(&'static str),
    /// The budget of bytes is spent.
    TooLarge,
}

/// A CEL value that borrows the text of `json`.
pub(super) fn borrowed<'v>(json: &'v Value) -> Box<dyn Val + 'v> {
    to_cel(json, &|text: &'v str| CelString::from(text))
}

/// A CEL value with a copy of the text of `json`.
pub(super) fn owned(json: &Value) -> Box<dyn Val + 'static> {
    to_cel(json, &|text: &str| CelString::from(text.to_owned()))
}

/// A CEL integer for a position.
pub(super) fn position(index: usize) -> Box<dyn Val + 'static> {
    Box::new(CelInt::from(i64::try_from(index).unwrap_or(i64::MAX)))
}

/// A CEL boolean.
pub(super) fn boolean(holds: bool) -> Box<dyn Val + 'static> {
    Box::new(CelBool::from(holds))
}

/// A CEL map with text keys.
pub(super) fn object<'v, K>(
    entries: impl IntoIterator<Item = (K, Box<dyn Val + 'v>)>,
) -> Box<dyn Val + 'v>
where
    CelString<'v>: From<K>,
{
    let entries = entries
        .into_iter()
        .map(|(key, value)| (CelMapKey::String(CelString::from(key)), value));
    Box::new(CelMap::from(entries.collect::<HashMap<_, _>>()))
}

/// The JSON value of a CEL value, taking its size in bytes from `budget`.
pub(super) fn to_json(value: &dyn Val, budget: &mut usize) -> Result<Value, Unfit> {
    nested_to_json(value, budget, MAX_DEPTH)
}

/// A copy, with the limits of [`to_json`].
pub(super) fn copy(json: &Value, budget: &mut usize) -> Result<Value, Unfit> {
    spend_for_copy(json, budget, MAX_DEPTH)?;
    Ok(json.clone())
}

/// A string as it is, anything else as compact JSON.
pub(super) fn into_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// The text of a key.
pub(super) fn key_text(key: &CelMapKey<'_>) -> Result<String, Unfit> {
    let mut unlimited = usize::MAX;
    nested_to_json(key.inner(), &mut unlimited, 0).map(into_text)
}

/// What a JSON value is, for messages.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Takes `bytes` from the budget.
pub(super) fn spend(budget: &mut usize, bytes: usize) -> Result<(), Unfit> {
    *budget = budget.checked_sub(bytes).ok_or(Unfit::TooLarge)?;
    Ok(())
}

fn to_cel<'v, 'w>(json: &'v Value, text: &impl Fn(&'v str) -> CelString<'w>) -> Box<dyn Val + 'w> {
    match json {
        Value::Null => Box::new(CelNull),
        Value::Bool(value) => Box::new(CelBool::from(*value)),
        Value::Number(number) => number_to_cel(number),
        Value::String(value) => Box::new(text(value)),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| to_cel(item, text)).collect();
            Box::new(CelList::from(items))
        }
        Value::Object(entries) => object(
            entries
                .iter()
                .map(|(key, value)| (text(key), to_cel(value, text))),
        ),
    }
}

fn number_to_cel(number: &Number) -> Box<dyn Val> {
    if let Some(value) = number.as_i64() {
        Box::new(CelInt::from(value))
    } else if let Some(value) = number.as_u64() {
        Box::new(CelUInt::from(value))
    } else {
        Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN)))
    }
}

fn nested_to_json(value: &dyn Val, budget: &mut usize, levels: usize) -> Result<Value, Unfit> {
    if let Some(list) = value.downcast_ref::<CelList>() {
        return list_to_json(list, budget, below(levels)?);
    }
    if let Some(map) = value.downcast_ref::<CelMap>() {
        return map_to_json(map, budget, below(levels)?);
    }
    if let Some(text) = value.downcast_ref::<CelString>() {
        spend(budget, text.inner().len() + 2)?;
        return Ok(Value::from(text.inner()));
    }
    spend(budget, 1)?;
    scalar_to_json(value)
}

fn spend_for_copy(json: &Value, budget: &mut usize, levels: usize) -> Result<(), Unfit> {
    match json {
        Value::Array(items) => {
            let levels = below(levels)?;
            spend(budget, 2 + items.len())?;
            let mut items = items.iter();
            items.try_for_each(|item| spend_for_copy(item, budget, levels))
        }
        Value::Object(entries) => {
            let levels = below(levels)?;
            entries.iter().try_for_each(|(key, value)| {
                spend(budget, key.len() + 4)?;
                spend_for_copy(value, budget, levels)
            })
        }
        Value::String(text) => spend(budget, text.len() + 2),
        _ => spend(budget, 1),
    }
}

fn scalar_to_json(value: &dyn Val) -> Result<Value, Unfit> {
    if value.downcast_ref::<CelNull>().is_some() {
        Ok(Value::Null)
    } else if let Some(value) = value.downcast_ref::<CelBool>() {
        Ok(Value::from(*value.inner()))
    } else if let Some(value) = value.downcast_ref::<CelInt>() {
        Ok(Value::from(*value.inner()))
    } else if let Some(value) = value.downcast_ref::<CelUInt>() {
        Ok(Value::from(*value.inner()))
    } else if let Some(value) = value.downcast_ref::<CelDouble>() {
        let number = Number::from_f64(*value.inner());
        number
            .map(Value::Number)
            .ok_or(Unfit::Kind("not a finite number"))
    } else if value.downcast_ref::<CelTimestamp>().is_some() {
        Err(Unfit::Kind("a timestamp: use string()"))
    } else if value.downcast_ref::<CelDuration>().is_some() {
        Err(Unfit::Kind("a duration: use string()"))
    } else {
        Err(Unfit::Kind("not a JSON value"))
    }
}

fn list_to_json(list: &CelList<'_>, budget: &mut usize, levels: usize) -> Result<Value, Unfit> {
    spend(budget, 2 + list.inner().len())?;
    let items = list.inner().iter();
    items
        .map(|item| nested_to_json(item.as_ref(), budget, levels))
        .collect::<Result<Vec<_>, _>>()
        .map(Value::Array)
}

fn map_to_json(map: &CelMap<'_>, budget: &mut usize, levels: usize) -> Result<Value, Unfit> {
    // Sorted, because a CEL map has no order and JSON must come out the same every time.
    let mut entries = BTreeMap::new();
    for (key, value) in map.inner() {
        let key = key_text(key)?;
        spend(budget, key.len() + 4)?;
        entries.insert(key, nested_to_json(value.as_ref(), budget, levels)?);
    }
    Ok(Value::Object(entries.into_iter().collect()))
}

fn below(levels: usize) -> Result<usize, Unfit> {
    levels
        .checked_sub(1)
        .ok_or(Unfit::Kind("nested too deeply"))
}
