use std::{cmp::Ordering, collections::HashSet};

use cel::{
    ExecutionError,
    common::{
        types::{CelInt, CelList, CelNull, CelString},
        value::Val,
    },
};

use super::{Call, MAX_PARTS, Made, json::text_of, numbers::Number};

/// What decides the order of an element.
enum Rank<'c> {
    Number(Number),
    Text(&'c str),
}

impl Rank<'_> {
    /// Total among the ranks of one list, which are all numbers or all texts.
    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.compare(*b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Number(_), Self::Text(_)) => Ordering::Less,
            (Self::Text(_), Self::Number(_)) => Ordering::Greater,
        }
    }
}

pub(super) fn first<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    Ok(copy_or_null(call.list(0)?.first().map(AsRef::as_ref)))
}

pub(super) fn last<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    Ok(copy_or_null(call.list(0)?.last().map(AsRef::as_ref)))
}

pub(super) fn min<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    let ranks = ranks(call)?;
    let smallest = ranks.iter().min_by(|(a, _), (b, _)| a.compare(b));
    chosen(call, smallest)
}

pub(super) fn max<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    let ranks = ranks(call)?;
    let largest = ranks.iter().max_by(|(a, _), (b, _)| a.compare(b));
    chosen(call, largest)
}

pub(super) fn sum<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    let numbers = call.list(0)?.iter().map(|item| Number::of(item.as_ref()));
    let sum = numbers.sum::<Option<Number>>();
    sum.ok_or_else(|| call.error("needs a list of numbers"))?
        .into_value(call)
}

pub(super) fn sort<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    let mut ranks = ranks(call)?;
    ranks.sort_by(|(a, _), (b, _)| a.compare(b));
    Ok(copies(ranks.into_iter().map(|(_, item)| item)))
}

/// Elements with the same JSON are the same; the first one stays.
pub(super) fn unique<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    let mut seen = HashSet::new();
    let mut kept = Vec::new();
    for item in call.list(0)? {
        if seen.insert(text_of(call, item.as_ref())?) {
            kept.push(item.as_ref());
        }
    }
    Ok(copies(kept.into_iter()))
}

/// Takes the lists in a list out of theirs, one level deep.
pub(super) fn flatten<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    let mut flat: Vec<Box<dyn Val + 'v>> = Vec::new();
    for item in call.list(0)? {
        match item.downcast_ref::<CelList>() {
            Some(inner) => flat.extend(inner.inner().iter().cloned()),
            None => flat.push(item.clone()),
        }
    }
    Ok(Box::new(CelList::from(flat)))
}

pub(super) fn slice<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    let list = call.list(0)?;
    let part = list.get(call.part(1, list.len())?).unwrap_or_default();
    Ok(copies(part.iter().map(AsRef::as_ref)))
}

pub(super) fn range<'v>(call: &Call<'_, 'v>) -> Made<'v> {
    let length = call.integer(0)?;
    if length < 0 {
        return Err(call.error("the length is negative"));
    }
    if usize::try_from(length).map_or(true, |length| length > MAX_PARTS) {
        return Err(call.error("more than 10,000 elements"));
    }
    let numbers = (0..length).map(|number| Box::new(CelInt::from(number)) as Box<dyn Val + 'v>);
    Ok(Box::new(CelList::from(numbers.collect::<Vec<_>>())))
}

type Ranked<'c, 'v> = (Rank<'c>, &'c (dyn Val + 'v));

fn ranks<'c, 'v>(call: &Call<'c, 'v>) -> Result<Vec<Ranked<'c, 'v>>, ExecutionError> {
    let list = call.list(0)?;
    let number =
        |item: &'c (dyn Val + 'v)| Number::of(item).map(|number| (Rank::Number(number), item));
    let text = |item: &'c (dyn Val + 'v)| {
        let text = item.downcast_ref::<CelString>()?;
        Some((Rank::Text(text.inner()), item))
    };
    let items = || list.iter().map(AsRef::as_ref);
    let numbers: Option<Vec<_>> = items().map(number).collect();
    numbers
        .or_else(|| items().map(text).collect())
        .ok_or_else(|| call.error("needs a list of numbers or one of texts"))
}

fn chosen<'v>(call: &Call<'_, 'v>, found: Option<&Ranked<'_, 'v>>) -> Made<'v> {
    match found {
        Some((_, item)) => Ok(item.clone_as_boxed()),
        None => Err(call.error("the list is empty")),
    }
}

fn copy_or_null<'v>(item: Option<&(dyn Val + 'v)>) -> Box<dyn Val + 'v> {
    match item {
        Some(item) => item.clone_as_boxed(),
        None => Box::new(CelNull),
    }
}

fn copies<'c, 'v: 'c>(items: impl Iterator<Item = &'c (dyn Val + 'v)>) -> Box<dyn Val + 'v> {
    let items: Vec<Box<dyn Val + 'v>> = items.map(|item| item.clone_as_boxed()).collect();
    Box::new(CelList::from(items))
}
