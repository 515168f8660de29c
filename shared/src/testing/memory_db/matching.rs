use std::cmp::Ordering;

use super::{
    nearness,
    ordering::{compare, is_same_type},
};
use crate::store::document_db::{
    Comparison, Document, Error, Fields, Filter, Order, Query, Value, ValueType,
};

/// Where a document stands in an ordered listing.
struct Position<'a> {
    value: Option<&'a Value>,
    /// The path in a group of collections.
    id: &'a str,
}

#[derive(Debug, thiserror::Error)]
#[error("a range needs an order by field: Firestore would order by its field after the id")]
struct RangeById;

#[derive(Debug, thiserror::Error)]
#[error("a search is for 1 to 1,000 documents, and does not go on after one")]
struct InvalidSearch;

/// The documents that a query asks for, in its order.
pub(super) fn select<'a>(
    documents: impl Iterator<Item = &'a Document>,
    query: &Query,
) -> Result<Vec<&'a Document>, Error> {
    let is_range = |filter: &Filter| {
        let comparison = filter.comparison;
        matches!(
            comparison,
            Comparison::LessOrEqual | Comparison::GreaterOrEqual
        )
    };
    if query.order == Order::ById && query.filters.iter().any(is_range) {
        return Err(Error::Rejected(Box::new(RangeById)));
    }
    let is_searchable = query.after.is_none() && (1..=1_000).contains(&query.limit);
    if query.nearest.is_some() && !is_searchable {
        return Err(Error::Rejected(Box::new(InvalidSearch)));
    }
    let mut found: Vec<(Position<'_>, &Document)> = documents
        .filter(|document| {
            query
                .filters
                .iter()
                .all(|filter| holds(filter, &document.fields))
        })
        .filter_map(|document| Some((position(document, query)?, document)))
        .filter(|(position, _)| follows(position, query))
        .collect();
    found.sort_by(|(left, _), (right, _)| in_order(query.order, left, right));
    let mut selected: Vec<&Document> = found.into_iter().map(|(_, document)| document).collect();
    if let Some(nearest) = &query.nearest {
        selected = nearness::search(selected, nearest);
    }
    selected.truncate(query.limit as usize);
    Ok(selected)
}

/// A document without the field, or with a value of another type, never matches.
fn holds(filter: &Filter, fields: &Fields) -> bool {
    let Some(value) = find(fields, filter.field) else {
        return false;
    };
    let is_equal = |one: &Value, other: &Value| compares(one, Comparison::Equal, other);
    match filter.comparison {
        Comparison::In => {
            let mut wanted = items(&filter.value);
            wanted.any(|wanted| is_equal(value, wanted))
        }
        Comparison::ArrayContains => items(value).any(|item| is_equal(item, &filter.value)),
        comparison => compares(value, comparison, &filter.value),
    }
}

/// The items of an array; anything else has none.
fn items(value: &Value) -> impl Iterator<Item = &Value> {
    let array = match &value.value_type {
        Some(ValueType::ArrayValue(array)) => array.values.as_slice(),
        _ => &[],
    };
    array.iter()
}

fn compares(value: &Value, comparison: Comparison, other: &Value) -> bool {
    if !is_same_type(value, other) {
        return false;
    }
    let ordering = compare(value, other);
    match comparison {
        Comparison::Equal | Comparison::In | Comparison::ArrayContains => ordering.is_eq(),
        Comparison::LessOrEqual => ordering.is_le(),
        Comparison::GreaterOrEqual => ordering.is_ge(),
    }
}

fn follows(position: &Position<'_>, query: &Query) -> bool {
    query.after.as_ref().is_none_or(|(value, id)| {
        let value = value.as_ref();
        in_order(query.order, &Position { value, id }, position).is_lt()
    })
}

/// A document without the field that a listing is ordered by has no place in it.
fn position<'a>(document: &'a Document, query: &Query) -> Option<Position<'a>> {
    let value = match query.order {
        Order::ById => None,
        Order::Ascending(field) | Order::Descending(field) => Some(find(&document.fields, field)?),
    };
    let id = match query.is_group {
        true => document.path.as_str(),
        false => document.path.id(),
    };
    Some(Position { value, id })
}

fn in_order(order: Order, left: &Position<'_>, right: &Position<'_>) -> Ordering {
    let by_value = match (left.value, right.value) {
        (Some(left), Some(right)) => compare(left, right),
        _ => Ordering::Equal,
    };
    let ascending = by_value.then_with(|| left.id.split('/').cmp(right.id.split('/')));
    match order {
        Order::Descending(_) => ascending.reverse(),
        Order::ById | Order::Ascending(_) => ascending,
    }
}

pub(super) fn find<'a>(fields: &'a Fields, path: &str) -> Option<&'a Value> {
    let Some((parent, rest)) = path.split_once('.') else {
        return fields.get(path);
    };
    match &fields.get(parent)?.value_type {
        Some(ValueType::MapValue(map)) => find(&map.fields, rest),
        _ => None,
    }
}
