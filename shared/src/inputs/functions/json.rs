use std::collections::HashMap;

use cel::{
    ExecutionError,
    common::{
        types::{CelList, CelMap, CelMapKey, CelString},
        value::Val,
    },
};

use super::{
    super::{MAX_RESULT_BYTES, value},
    Call, Made,
};

/// Parsing costs more than copying: the shortest value has two characters.
const JSON_BYTES_PER_UNIT: u64 = 2;

pub(super) fn json<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    let source = call.text(0)?;
    if source.len() > MAX_RESULT_BYTES {
        return Err(call.error("the text is longer than 256 KiB"));
    }
    let bytes = u64::try_from(source.len()).unwrap_or(u64::MAX);
    call.session.meter.spend(bytes / JSON_BYTES_PER_UNIT)?;
    let json: serde_json::Value =
        serde_json::from_str(source).map_err(|_| call.error("the text is not JSON"))?;
    Ok(value::owned(&json))
}

pub(super) fn to_json<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    let text = text_of(call, call.value(0)?)?;
    Ok(Box::new(CelString::from(text)))
}

/// Sorted, because an object has no order.
pub(super) fn keys<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    let keys = sorted(call)?.into_iter();
    let keys = keys.map(|(key, _)| Box::new(CelString::from(key)) as Box<dyn Val + 'v>);
    Ok(Box::new(CelList::from(keys.collect::<Vec<_>>())))
}

/// In the order of [`keys`].
pub(super) fn values<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    let values = sorted(call)?.into_iter();
    let values: Vec<Box<dyn Val + 'v>> = values.map(|(_, value)| value.clone_as_boxed()).collect();
    Ok(Box::new(CelList::from(values)))
}

/// The fields of both; the second one decides.
pub(super) fn merge<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    let both = call.object(0)?.iter().chain(call.object(1)?.iter());
    let both = both.map(|(key, value)| (key.clone(), value.clone()));
    let merged: HashMap<CelMapKey<'v>, Box<dyn Val + 'v>> = both.collect();
    Ok(Box::new(CelMap::from(merged)))
}

/// A value as compact JSON.
pub(super) fn text_of(call: &Call<'_, '_>, of: &dyn Val) -> Result<String, ExecutionError> {
    let mut budget = MAX_RESULT_BYTES;
    let json = value::to_json(of, &mut budget)
        .map_err(|_| call.error("the value is too large or not JSON"))?;
    Ok(json.to_string())
}

type Field<'c, 'v> = (String, &'c (dyn Val + 'v));

fn sorted<'c, 'v>(call: &Call<'c, 'v>) -> Result<Vec<Field<'c, 'v>>, ExecutionError> {
    let fields = call.object(0)?.iter().map(|(key, value)| {
        let key = value::key_text(key).map_err(|_| call.error("a key is not a text"))?;
        Ok((key, value.as_ref()))
    });
    let mut fields = fields.collect::<Result<Vec<Field<'c, 'v>>, ExecutionError>>()?;
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(fields)
}
