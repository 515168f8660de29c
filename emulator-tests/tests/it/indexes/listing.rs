use std::fmt;

use serde::Deserialize;
use serde_json::Value;
use shared::store::document_db::{Comparison, Nearest, Order, Query};

/// What a query asks, as far as indexes are concerned.
pub(super) struct Listing {
    /// The collection's name, without the path to it.
    collection: String,
    /// Whether all collections of the name are asked.
    is_group: bool,
    equal: Vec<String>,
    contained: Vec<String>,
    /// Fields that are compared otherwise; only the one that is ordered by first can be.
    ranges: Vec<String>,
    /// Fields and whether the largest come first.
    order: Vec<(String, bool)>,
    /// The field with the vectors that are searched, and how long they are.
    searched: Option<(String, usize)>,
}

/// An index, as the file and as queries tell it: `agents: orgId ASCENDING, status ASCENDING`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Need {
    pub(super) collection: String,
    pub(super) is_group: bool,
    /// Fields and what is kept of them: `ASCENDING`, `DESCENDING`, `CONTAINS` or a vector.
    pub(super) fields: Vec<(String, String)>,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = if self.is_group { " (group)" } else { "" };
        let fields = self.fields.iter();
        let fields: Vec<String> = fields
            .map(|(name, kind)| format!("{name} {kind}"))
            .collect();
        write!(f, "{}{group}: {}", self.collection, fields.join(", "))
    }
}

impl Listing {
    /// A query of the store.
    pub(super) fn of_store(query: &Query) -> Self {
        let with = |wanted: fn(Comparison) -> bool| {
            let filters = query.filters.iter();
            let filters = filters.filter(|filter| wanted(filter.comparison));
            filters.map(|filter| filter.field.to_owned()).collect()
        };
        let order = match query.order {
            Order::ById => Vec::new(),
            Order::Ascending(field) => vec![(field.to_owned(), false)],
            Order::Descending(field) => vec![(field.to_owned(), true)],
        };
        Self {
            collection: name(&query.collection),
            is_group: query.is_group,
            equal: with(is_equality),
            contained: with(|comparison| comparison == Comparison::ArrayContains),
            ranges: with(is_range),
            order,
            searched: query.nearest.as_ref().map(|nearest| {
                let dimension = nearest.vector.as_slice().len();
                (nearest.field.to_owned(), dimension)
            }),
        }
    }

    /// The indexes that serve it. Equal fields alone are served by merging indexes of single
    /// fields (<https://firebase.google.com/docs/firestore/query-data/index-overview>).
    pub(super) fn needs(&self) -> Vec<Need> {
        let mut order = self.order();
        let searched = self.searched.iter();
        order.extend(
            searched.map(|(name, dimension)| (name.clone(), format!("vector of {dimension}"))),
        );
        let sorted = |name: &String| (name.clone(), "ASCENDING".to_owned());
        let equal: Vec<_> = self.equal.iter().map(sorted).collect();
        if order.is_empty() && self.contained.is_empty() {
            return equal
                .into_iter()
                .map(|field| self.need(vec![field]))
                .collect();
        }
        let contained = self.contained.iter();
        let contained = contained.map(|name| (name.clone(), "CONTAINS".to_owned()));
        vec![self.need(equal.into_iter().chain(contained).chain(order).collect())]
    }

    /// A range is in the order of its field unless told.
    fn order(&self) -> Vec<(String, String)> {
        let mut order = self.order.clone();
        if let (true, Some(field)) = (order.is_empty(), self.ranges.first()) {
            order.push((field.clone(), false));
        }
        let first = order.first().map(|(name, _)| name);
        let is_ordered = self.ranges.iter().all(|name| Some(name) == first);
        assert!(
            is_ordered,
            "a range in {} is not the order",
            self.collection
        );
        let kind = |is_descending| {
            if is_descending {
                "DESCENDING"
            } else {
                "ASCENDING"
            }
        };
        let order = order.into_iter();
        order
            .map(|(name, is_descending)| (name, kind(is_descending).to_owned()))
            .collect()
    }

    fn need(&self, fields: Vec<(String, String)>) -> Need {
        Need {
            collection: self.collection.clone(),
            is_group: self.is_group,
            fields,
        }
    }
}

/// One of several values is looked up in the index of a single one.
fn is_equality(comparison: Comparison) -> bool {
    matches!(comparison, Comparison::Equal | Comparison::In)
}

fn is_range(comparison: Comparison) -> bool {
    matches!(
        comparison,
        Comparison::LessOrEqual | Comparison::GreaterOrEqual
    )
}

/// The collection's name in its path.
fn name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

/// A query that a front end makes, from the table that the tests in JavaScript use as well.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ClientQuery {
    #[serde(rename = "name")]
    _name: String,
    collection: String,
    #[serde(rename = "where")]
    conditions: Vec<(String, String, Value)>,
    order_by: Vec<(String, String)>,
}

/// The queries of clients: all ask one collection, as the rules refuse groups.
pub(super) fn of_clients() -> Vec<Listing> {
    let table = include_str!("../../../web/client-queries.json");
    let queries: Vec<ClientQuery> = serde_json::from_str(table).unwrap();
    queries.iter().map(of_client).collect()
}

fn of_client(query: &ClientQuery) -> Listing {
    let mut listing = Listing {
        collection: name(&query.collection),
        is_group: false,
        equal: Vec::new(),
        contained: Vec::new(),
        ranges: Vec::new(),
        order: Vec::new(),
        searched: None,
    };
    for (field, operator, _) in &query.conditions {
        let fields = match operator.as_str() {
            "==" | "in" => &mut listing.equal,
            "<" | "<=" | ">" | ">=" => &mut listing.ranges,
            "array-contains" | "array-contains-any" => &mut listing.contained,
            other => panic!("what does `{other}` need?"),
        };
        fields.push(field.clone());
    }
    for (field, direction) in &query.order_by {
        let is_descending = match direction.as_str() {
            "asc" => false,
            "desc" => true,
            other => panic!("`{other}` is no direction"),
        };
        listing.order.push((field.clone(), is_descending));
    }
    listing
}

fn described(query: &Query, is_group: bool) -> Vec<String> {
    let listing = Listing {
        is_group,
        ..Listing::of_store(query)
    };
    listing.needs().iter().map(ToString::to_string).collect()
}

#[test]
fn equal_fields_need_an_index_each() {
    let query = Query::new("a/b/things", 1)
        .filter("x", Comparison::Equal, "1")
        .filter("y", Comparison::Equal, "1");
    assert_eq!(
        described(&query, false),
        ["things: x ASCENDING", "things: y ASCENDING"]
    );
    assert_eq!(
        described(&query, true),
        ["things (group): x ASCENDING", "things (group): y ASCENDING"]
    );
}

#[test]
fn an_order_needs_an_index_of_all_fields() {
    let query = Query::new("things", 1)
        .filter("x", Comparison::Equal, "1")
        .filter("y", Comparison::LessOrEqual, "1")
        .order(Order::Descending("y"));
    assert_eq!(
        described(&query, false),
        ["things: x ASCENDING, y DESCENDING"]
    );
}

#[test]
fn a_range_is_an_order() {
    let query = Query::new("things", 1).filter("y", Comparison::GreaterOrEqual, "1");
    assert_eq!(described(&query, false), ["things: y ASCENDING"]);
}

#[test]
fn a_search_needs_an_index_of_all_fields_and_the_vector() {
    let query = Query::new("a/b/things", 1)
        .filter("x", Comparison::Equal, "1")
        .filter("y", Comparison::In, vec!["1", "2"])
        .nearest(Nearest {
            field: "v",
            vector: vec![0.0; 3].into(),
            max_distance: 1.0,
        });
    assert_eq!(
        described(&query, false),
        ["things: x ASCENDING, y ASCENDING, v vector of 3"]
    );
}

#[test]
fn what_an_array_has_to_contain_is_in_the_index() {
    let query = Query::new("a/b/things", 1).filter("tags", Comparison::ArrayContains, "1");
    assert_eq!(described(&query, false), ["things: tags CONTAINS"]);
    let query = query.filter("x", Comparison::Equal, "1").nearest(Nearest {
        field: "v",
        vector: vec![0.0; 3].into(),
        max_distance: 1.0,
    });
    assert_eq!(
        described(&query, false),
        ["things: x ASCENDING, tags CONTAINS, v vector of 3"]
    );
}

#[test]
fn a_listing_by_id_needs_nothing() {
    assert_eq!(described(&Query::new("things", 1), true), [""; 0]);
}
