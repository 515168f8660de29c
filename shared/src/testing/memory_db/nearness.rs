//! Searching by vectors: <https://cloud.google.com/firestore/docs/vector-search>.

use super::matching::find;
use crate::store::document_db::{Document, Nearest, Value, ValueType};

/// The documents that are near, nearest first; those that are equally near stay in their order.
pub(super) fn search<'a>(documents: Vec<&'a Document>, nearest: &Nearest) -> Vec<&'a Document> {
    let wanted: Vec<f64> = nearest
        .vector
        .as_slice()
        .iter()
        .copied()
        .map(f64::from)
        .collect();
    let distance = |document: &Document| {
        let vector = find(&document.fields, nearest.field).and_then(to_vector)?;
        (vector.len() == wanted.len()).then(|| distance(&vector, &wanted))
    };
    let measured = documents
        .into_iter()
        .filter_map(|document| Some((distance(document)?, document)));
    let mut near: Vec<_> = measured
        .filter(|(distance, _)| *distance <= nearest.max_distance)
        .collect();
    near.sort_by(|(left, _), (right, _)| left.total_cmp(right));
    near.into_iter().map(|(_, document)| document).collect()
}

/// A vector without a direction is at no distance of any.
fn distance(left: &[f64], right: &[f64]) -> f64 {
    let product = |left: &[f64], right: &[f64]| -> f64 {
        left.iter()
            .zip(right)
            .map(|(left, right)| left * right)
            .sum()
    };
    1.0 - product(left, right) / (product(left, left) * product(right, right)).sqrt()
}

fn to_vector(field: &Value) -> Option<Vec<f64>> {
    let Some(ValueType::MapValue(map)) = &field.value_type else {
        return None;
    };
    let kind = map.fields.get("__type__")?.value_type.as_ref()?;
    let Some(ValueType::ArrayValue(array)) = &map.fields.get("value")?.value_type else {
        return None;
    };
    let is_vector = matches!(kind, ValueType::StringValue(kind) if kind == "__vector__");
    let numbers = array.values.iter().map(|number| match number.value_type {
        Some(ValueType::DoubleValue(number)) => Some(number),
        _ => None,
    });
    is_vector.then(|| numbers.collect()).flatten()
}
