//! The order of values: <https://firebase.google.com/docs/firestore/manage-data/data-types#value_type_ordering>.

use std::{cmp::Ordering, collections::BTreeMap};

use crate::store::document_db::{Fields, Value, ValueType};

/// Whether two values can be compared in a query; integers and doubles are one type.
pub(super) fn is_same_type(left: &Value, right: &Value) -> bool {
    rank(left) == rank(right)
}

pub(super) fn compare(left: &Value, right: &Value) -> Ordering {
    rank(left)
        .cmp(&rank(right))
        .then_with(|| compare_same_type(left, right))
}

fn rank(value: &Value) -> u8 {
    use ValueType as T;
    match &value.value_type {
        None | Some(T::NullValue(_)) => 0,
        Some(T::BooleanValue(_)) => 1,
        Some(T::IntegerValue(_) | T::DoubleValue(_)) => 2,
        Some(T::TimestampValue(_)) => 3,
        Some(T::StringValue(_)) => 4,
        Some(T::BytesValue(_)) => 5,
        Some(T::ReferenceValue(_)) => 6,
        Some(T::GeoPointValue(_)) => 7,
        Some(T::ArrayValue(_)) => 8,
        _ => 9,
    }
}

fn compare_same_type(left: &Value, right: &Value) -> Ordering {
    use ValueType as T;
    let (Some(left), Some(right)) = (&left.value_type, &right.value_type) else {
        return Ordering::Equal;
    };
    match (left, right) {
        (T::BooleanValue(left), T::BooleanValue(right)) => left.cmp(right),
        (T::IntegerValue(left), T::IntegerValue(right)) => left.cmp(right),
        (T::TimestampValue(left), T::TimestampValue(right)) => {
            (left.seconds, left.nanos).cmp(&(right.seconds, right.nanos))
        }
        (T::StringValue(left), T::StringValue(right))
        | (T::ReferenceValue(left), T::ReferenceValue(right)) => left.cmp(right),
        (T::BytesValue(left), T::BytesValue(right)) => left.cmp(right),
        (T::ArrayValue(left), T::ArrayValue(right)) => {
            compare_all(left.values.iter(), right.values.iter())
        }
        (T::MapValue(left), T::MapValue(right)) => compare_maps(&left.fields, &right.fields),
        (left, right) => number(left)
            .partial_cmp(&number(right))
            .unwrap_or(Ordering::Equal),
    }
}

fn compare_all<'a>(
    mut left: impl Iterator<Item = &'a Value>,
    mut right: impl Iterator<Item = &'a Value>,
) -> Ordering {
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(left), Some(right)) => match compare(left, right) {
                Ordering::Equal => {}
                different => return different,
            },
        }
    }
}

/// By the first key or value that differs, in the order of keys.
fn compare_maps(left: &Fields, right: &Fields) -> Ordering {
    let (left, right): (BTreeMap<_, _>, BTreeMap<_, _>) =
        (left.iter().collect(), right.iter().collect());
    for ((left_key, left_value), (right_key, right_value)) in left.iter().zip(&right) {
        let ordering = left_key
            .cmp(right_key)
            .then_with(|| compare(left_value, right_value));
        if ordering.is_ne() {
            return ordering;
        }
    }
    left.len().cmp(&right.len())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "mixed numbers are compared as doubles"
)]
fn number(value: &ValueType) -> f64 {
    match value {
        ValueType::IntegerValue(integer) => *integer as f64,
        ValueType::DoubleValue(double) => *double,
        _ => 0.0,
    }
}
