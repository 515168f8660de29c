use serde_json::json;
use shared::{
    models::Timestamp,
    store::{
        document_db::{
            Comparison, Document, DocumentDb, DocumentPath, Error, Filter, Operation, Order,
            Precondition, Query, Value, Write,
        },
        encode,
    },
};

use crate::document_db::support::{double, ids, int, path, put, replace, text, texts, time};

fn all() -> Query {
    Query::new("things", 100)
}

fn filtered(field: &'static str, comparison: Comparison, value: Value) -> Query {
    let mut query = all().order(Order::Ascending(field));
    query.filters.push(Filter {
        field,
        comparison,
        value,
    });
    query
}

pub(crate) async fn filters_compare_within_one_type(db: &dyn DocumentDb) {
    put(db, "one", [("v", int(1))]).await;
    put(db, "half", [("v", double(1.5))]).await;
    put(db, "two", [("v", double(2.0))]).await;
    put(db, "three", [("v", int(3))]).await;
    put(db, "text", [("v", text("2"))]).await;
    put(db, "time", [("v", time(2))]).await;
    put(db, "absent", [("w", int(2))]).await;

    let found = |comparison, value| {
        let query = filtered("v", comparison, value);
        async move { ids(db, &query).await }
    };
    assert_eq!(found(Comparison::Equal, int(2)).await, ["two"]);
    let at_most = found(Comparison::LessOrEqual, int(2)).await;
    assert_eq!(at_most, ["one", "half", "two"]);
    let at_least = found(Comparison::GreaterOrEqual, double(1.5)).await;
    assert_eq!(at_least, ["half", "two", "three"]);
    assert_eq!(found(Comparison::LessOrEqual, text("3")).await, ["text"]);
    assert_eq!(found(Comparison::LessOrEqual, time(2)).await, ["time"]);
    assert!(found(Comparison::LessOrEqual, time(1)).await.is_empty());
}

pub(crate) async fn filters_must_all_hold(db: &dyn DocumentDb) {
    for (id, org, status, day) in [
        ("a", "o1", "open", "2026-11-01"),
        ("b", "o1", "open", "2026-11-02"),
        ("c", "o1", "done", "2026-11-02"),
        ("d", "o2", "open", "2026-11-02"),
        ("e", "o1", "open", "2026-11-03"),
    ] {
        let entries = [
            ("org", text(org)),
            ("status", text(status)),
            ("day", text(day)),
        ];
        put(db, id, entries).await;
    }
    let query = all()
        .filter("org", Comparison::Equal, "o1")
        .filter("status", Comparison::Equal, "open")
        .filter("day", Comparison::GreaterOrEqual, "2026-11-02")
        .filter("day", Comparison::LessOrEqual, "2026-11-02");
    let query = query.order(Order::Ascending("day"));
    assert_eq!(ids(db, &query).await, ["b"]);
}

pub(crate) async fn filters_for_one_of_several_values_keep_the_order(db: &dyn DocumentDb) {
    for (id, status, day) in [
        ("a", "open", "2026-11-03"),
        ("b", "done", "2026-11-01"),
        ("c", "late", "2026-11-02"),
        ("d", "open", "2026-11-02"),
        ("e", "done", "2026-11-03"),
    ] {
        put(db, id, [("status", text(status)), ("day", text(day))]).await;
    }
    put(db, "f", [("status", int(1)), ("day", text("2026-11-03"))]).await;
    let query = |statuses: Vec<&str>| {
        let query = all().filter("status", Comparison::In, statuses);
        query.order(Order::Descending("day"))
    };
    assert_eq!(
        ids(db, &query(vec!["open", "done"])).await,
        ["e", "a", "d", "b"]
    );
    assert_eq!(ids(db, &query(vec!["late"])).await, ["c"]);
    let mut rest = query(vec!["done", "late"]);
    rest.after = Some((Some(text("2026-11-03")), "e".to_owned()));
    assert_eq!(ids(db, &rest).await, ["c", "b"]);
    let ranged = query(vec!["open", "late"]);
    let ranged = ranged.filter("day", Comparison::LessOrEqual, "2026-11-02");
    assert_eq!(ids(db, &ranged).await, ["d", "c"]);
}

/// Firestore would order by the compared field after the id.
pub(crate) async fn filters_look_into_arrays(db: &dyn DocumentDb) {
    put(db, "both", [("v", texts(vec!["x", "y"]))]).await;
    put(db, "one", [("v", texts(vec!["xy"]))]).await;
    put(db, "twice", [("v", texts(vec!["y", "y"]))]).await;
    put(db, "none", [("v", texts(vec![]))]).await;
    put(db, "text", [("v", text("y"))]).await;
    put(db, "absent", [("w", texts(vec!["y"]))]).await;
    let of = |item| all().filter("v", Comparison::ArrayContains, item);
    assert_eq!(ids(db, &of("y")).await, ["both", "twice"]);
    assert_eq!(ids(db, &of("x")).await, ["both"]);
    assert_eq!(ids(db, &of("z")).await, [""; 0]);
    assert_eq!(db.count(&of("y")).await.unwrap(), 2);
    let mut numbers = all();
    numbers.filters.push(Filter {
        field: "v",
        comparison: Comparison::ArrayContains,
        value: int(1),
    });
    assert_eq!(ids(db, &numbers).await, [""; 0]);
}

pub(crate) async fn a_range_in_the_order_of_ids_is_rejected(db: &dyn DocumentDb) {
    let query = filtered("v", Comparison::LessOrEqual, int(1)).order(Order::ById);
    let error = db.query(&query).await.unwrap_err();
    assert!(matches!(error, Error::Rejected(_)), "{error:?}");
    let query = filtered("v", Comparison::Equal, int(1)).order(Order::ById);
    assert!(ids(db, &query).await.is_empty());
}

pub(crate) async fn a_field_path_reaches_into_a_map(db: &dyn DocumentDb) {
    let documents = [
        ("late", json!({ "lease": { "until": 30 } })),
        ("early", json!({ "lease": { "until": 10 } })),
        ("none", json!({ "lease": {} })),
        ("flat", json!({ "lease": 10 })),
        ("dotted", json!({ "lease.until": 10 })),
    ];
    for (id, document) in documents {
        let write = Write {
            path: path(id),
            operation: Operation::Replace(encode(&path(id), &document).unwrap()),
            precondition: Precondition::None,
        };
        db.commit(vec![write]).await.unwrap();
    }
    let query = filtered("lease.until", Comparison::LessOrEqual, int(30));
    assert_eq!(ids(db, &query).await, ["early", "late"]);
    let query = filtered("lease.until", Comparison::LessOrEqual, int(29));
    assert_eq!(ids(db, &query).await, ["early"]);
}

pub(crate) async fn a_listing_by_id_is_in_the_order_of_bytes(db: &dyn DocumentDb) {
    for id in [
        "b",
        "a",
        "B",
        "10",
        "9",
        "ä",
        "a#1",
        "a0",
        "\u{1F600}",
        "\u{FFFD}",
    ] {
        put(db, id, [("n", int(1))]).await;
    }
    let expected = [
        "10",
        "9",
        "B",
        "a",
        "a#1",
        "a0",
        "b",
        "ä",
        "\u{FFFD}",
        "\u{1F600}",
    ];
    assert_eq!(ids(db, &all()).await, expected);
    assert_eq!(ids(db, &Query::new("things", 3)).await, ["10", "9", "B"]);
}

pub(crate) async fn a_listing_leaves_out_documents_without_the_ordered_field(db: &dyn DocumentDb) {
    put(db, "a", [("at", time(2))]).await;
    put(db, "b", [("at", time(1))]).await;
    put(db, "c", [("other", time(3))]).await;
    let query = all().order(Order::Ascending("at"));
    assert_eq!(ids(db, &query).await, ["b", "a"]);
    let query = all().order(Order::Descending("at"));
    assert_eq!(ids(db, &query).await, ["a", "b"]);
}

pub(crate) async fn documents_of_equal_fields_are_ordered_by_id(db: &dyn DocumentDb) {
    for (id, at) in [("b", 1), ("d", 1), ("a", 1), ("c", 2)] {
        put(db, id, [("at", time(at))]).await;
    }
    let query = all().order(Order::Ascending("at"));
    assert_eq!(ids(db, &query).await, ["a", "b", "d", "c"]);
    let query = all().order(Order::Descending("at"));
    assert_eq!(ids(db, &query).await, ["c", "d", "b", "a"]);
}

pub(crate) async fn a_cursor_goes_on_after_its_position(db: &dyn DocumentDb) {
    for (id, at) in [("b", 1), ("d", 1), ("a", 1), ("c", 2), ("e", 0)] {
        put(db, id, [("at", time(at)), ("org", text("o1"))]).await;
    }
    put(db, "x", [("at", time(1)), ("org", text("o2"))]).await;
    let orders = [
        (Order::ById, ["a", "b", "c", "d", "e"]),
        (Order::Ascending("at"), ["e", "a", "b", "d", "c"]),
        (Order::Descending("at"), ["c", "d", "b", "a", "e"]),
    ];
    for (order, expected) in orders {
        let query = all().filter("org", Comparison::Equal, "o1").order(order);
        assert_eq!(walk(db, Query { limit: 2, ..query }).await, expected);
    }
}

async fn walk(db: &dyn DocumentDb, mut query: Query) -> Vec<String> {
    let mut walked = Vec::new();
    loop {
        let found = db.query(&query).await.unwrap();
        let Some(last) = found.last() else {
            return walked;
        };
        let position = match query.order {
            Order::ById => None,
            _ => Some(last.fields["at"].clone()),
        };
        query.after = Some((position, last.path.id().to_owned()));
        walked.extend(found.iter().map(id));
    }
}

fn id(document: &Document) -> String {
    document.path.id().to_owned()
}

pub(crate) async fn a_subcollection_is_a_collection_of_its_own(db: &dyn DocumentDb) {
    put(db, "a", [("n", int(1))]).await;
    for (parent, id) in [("a", "1"), ("a", "2"), ("ab", "3")] {
        let child = path(parent).child("parts", id);
        let write = replace(child, [("n", int(1))], Precondition::None);
        db.commit(vec![write]).await.unwrap();
    }
    assert_eq!(ids(db, &all()).await, ["a"]);
    let parts = Query::new(path("a").collection("parts"), 100);
    assert_eq!(ids(db, &parts).await, ["1", "2"]);
    let mut rest = parts.clone();
    rest.after = Some((None, "1".to_owned()));
    assert_eq!(ids(db, &rest).await, ["2"]);
    let elsewhere = Query::new("parts", 100);
    assert!(ids(db, &elsewhere).await.is_empty());
    assert_eq!(db.get(&path("ab")).await.unwrap(), None);
}

/// The paths that a query finds.
async fn paths(db: &dyn DocumentDb, query: &Query) -> Vec<String> {
    let found = db.query(query).await.unwrap();
    found
        .iter()
        .map(|document| document.path.to_string())
        .collect()
}

async fn put_parts(db: &dyn DocumentDb, places: &[DocumentPath]) {
    for (place, kind) in places.iter().zip(["x", "y"].into_iter().cycle()) {
        let write = replace(place.clone(), [("kind", text(kind))], Precondition::None);
        db.commit(vec![write]).await.unwrap();
    }
}

pub(crate) async fn a_group_is_all_collections_of_one_name(db: &dyn DocumentDb) {
    let places = [
        path("a").child("parts", "1"),
        path("b").child("parts", "1"),
        path("b").child("parts", "2"),
        DocumentPath::new("parts", "9"),
        path("a").child("things", "0").child("parts", "7"),
        path("a").child("partsofparts", "1"),
        path("c"),
    ];
    put_parts(db, &places).await;
    let group = Query::group("parts", 100);
    let everywhere = [
        "parts/9",
        "things/a/parts/1",
        "things/a/things/0/parts/7",
        "things/b/parts/1",
        "things/b/parts/2",
    ];
    assert_eq!(paths(db, &group).await, everywhere);
    let filtered = group.clone().filter("kind", Comparison::Equal, "x");
    let filtered = paths(db, &filtered).await;
    assert_eq!(
        filtered,
        [
            "things/a/parts/1",
            "things/a/things/0/parts/7",
            "things/b/parts/2"
        ]
    );
    let first = Query::group("parts", 2);
    assert_eq!(paths(db, &first).await, everywhere[..2]);
}

pub(crate) async fn a_group_goes_on_after_a_path(db: &dyn DocumentDb) {
    let places = [
        path("a").child("parts", "2"),
        path("a-").child("parts", "1"),
        path("b").child("parts", "1"),
    ];
    put_parts(db, &places).await;
    let mut rest = Query::group("parts", 100);
    rest.after = Some((None, "things/a/parts/2".to_owned()));
    let found = paths(db, &rest).await;
    assert_eq!(found, ["things/a-/parts/1", "things/b/parts/1"]);
}

pub(crate) async fn timestamps_compare_to_the_microsecond(db: &dyn DocumentDb) {
    let base = 1_795_435_200_000_000;
    put(db, "before", [("at", time(base - 1))]).await;
    put(db, "at", [("at", time(base))]).await;
    put(db, "after", [("at", time(base + 1))]).await;
    let now = Timestamp::from(jiff::Timestamp::from_microsecond(base).unwrap());
    let query = all().filter("at", Comparison::LessOrEqual, now);
    let query = query.order(Order::Ascending("at"));
    assert_eq!(ids(db, &query).await, ["before", "at"]);
}
