//! Questions as Firestore is asked them; `documents` is the name of the database's root.

use gcloud_sdk::google::firestore::v1::{self as wire, structured_query as sq};

use crate::store::document_db::{
    Comparison, Nearest, Order, Query, ValueType, to_wire_vector, value,
};

pub(super) fn run_query(documents: &str, query: &Query) -> wire::RunQueryRequest {
    let (parent, structured) = to_wire_query(documents, query);
    wire::RunQueryRequest {
        parent,
        query_type: Some(wire::run_query_request::QueryType::StructuredQuery(
            structured,
        )),
        ..Default::default()
    }
}

pub(super) fn count(documents: &str, query: &Query) -> wire::RunAggregationQueryRequest {
    use wire::structured_aggregation_query::{Aggregation, QueryType, aggregation};
    let (parent, structured) = to_wire_query(documents, query);
    let count = Aggregation {
        operator: Some(aggregation::Operator::Count(aggregation::Count::default())),
        ..Default::default()
    };
    let counted = wire::StructuredAggregationQuery {
        aggregations: vec![count],
        query_type: Some(QueryType::StructuredQuery(structured)),
    };
    wire::RunAggregationQueryRequest {
        parent,
        query_type: Some(
            wire::run_aggregation_query_request::QueryType::StructuredAggregationQuery(counted),
        ),
        ..Default::default()
    }
}

/// The query and the document below which it looks.
fn to_wire_query(documents: &str, query: &Query) -> (String, wire::StructuredQuery) {
    let (parent, collection_id) = match query.collection.rsplit_once('/') {
        Some((parent, id)) => (format!("{documents}/{parent}"), id),
        None => (documents.to_owned(), query.collection.as_str()),
    };
    let mut structured = wire::StructuredQuery {
        from: vec![sq::CollectionSelector {
            collection_id: collection_id.to_owned(),
            all_descendants: query.is_group,
        }],
        r#where: to_wire_filter(query),
        start_at: to_wire_cursor(documents, query),
        ..Default::default()
    };
    let limit = i32::try_from(query.limit).unwrap_or(i32::MAX);
    match &query.nearest {
        Some(nearest) => structured.find_nearest = Some(to_wire_search(nearest, limit)),
        None => {
            structured.order_by = to_wire_order(query.order);
            structured.limit = Some(limit);
        }
    }
    (parent, structured)
}

fn to_wire_search(nearest: &Nearest, limit: i32) -> sq::FindNearest {
    sq::FindNearest {
        vector_field: Some(field_reference(nearest.field)),
        query_vector: Some(to_wire_vector(&nearest.vector)),
        distance_measure: sq::find_nearest::DistanceMeasure::Cosine.into(),
        limit: Some(limit),
        distance_threshold: Some(nearest.max_distance),
        ..Default::default()
    }
}

fn to_wire_filter(query: &Query) -> Option<sq::Filter> {
    use sq::{composite_filter, field_filter, filter::FilterType};
    let field_filters = query.filters.iter().map(|filter| {
        let op = match filter.comparison {
            Comparison::Equal => field_filter::Operator::Equal,
            Comparison::LessOrEqual => field_filter::Operator::LessThanOrEqual,
            Comparison::GreaterOrEqual => field_filter::Operator::GreaterThanOrEqual,
            Comparison::In => field_filter::Operator::In,
            Comparison::ArrayContains => field_filter::Operator::ArrayContains,
        };
        let field_filter = sq::FieldFilter {
            field: Some(field_reference(filter.field)),
            op: op.into(),
            value: Some(filter.value.clone()),
        };
        sq::Filter {
            filter_type: Some(FilterType::FieldFilter(field_filter)),
        }
    });
    let filters: Vec<_> = field_filters.collect();
    let op = composite_filter::Operator::And.into();
    let all = FilterType::CompositeFilter(sq::CompositeFilter { op, filters });
    (!query.filters.is_empty()).then_some(sq::Filter {
        filter_type: Some(all),
    })
}

fn to_wire_order(order: Order) -> Vec<sq::Order> {
    let by = |field: &str, direction: sq::Direction| sq::Order {
        field: Some(field_reference(field)),
        direction: direction.into(),
    };
    match order {
        Order::ById => vec![by("__name__", sq::Direction::Ascending)],
        Order::Ascending(field) => vec![
            by(field, sq::Direction::Ascending),
            by("__name__", sq::Direction::Ascending),
        ],
        Order::Descending(field) => vec![
            by(field, sq::Direction::Descending),
            by("__name__", sq::Direction::Descending),
        ],
    }
}

fn to_wire_cursor(documents: &str, query: &Query) -> Option<wire::Cursor> {
    let (field, id) = query.after.as_ref()?;
    let path = match query.is_group {
        true => format!("{documents}/{id}"),
        false => format!("{documents}/{}/{id}", query.collection),
    };
    let reference = value(ValueType::ReferenceValue(path));
    let values = field.iter().cloned().chain([reference]).collect();
    Some(wire::Cursor {
        values,
        before: false,
    })
}

fn field_reference(field: &str) -> sq::FieldReference {
    sq::FieldReference {
        field_path: field.to_owned(),
    }
}
