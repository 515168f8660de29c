use shared::store::document_db::{
    ArrayValue, Comparison, DocumentDb, Error, Nearest, Query, Value, ValueType, to_wire_vector,
    value,
};

use crate::document_db::support::{double, ids, put, text, texts};

fn vector(numbers: &[f32]) -> Value {
    to_wire_vector(&numbers.to_vec().into())
}

fn near(numbers: &[f32], max_distance: f64) -> Query {
    Query::new("things", 100).nearest(Nearest {
        field: "v",
        vector: numbers.to_vec().into(),
        max_distance,
    })
}

pub(crate) async fn a_search_finds_what_is_near_in_order(db: &dyn DocumentDb) {
    for (id, numbers) in [
        ("opposite", &[-1.0, 0.0][..]),
        ("right", &[0.0, 2.0]),
        ("slant", &[3.0, 3.0]),
        ("same", &[5.0, 0.0]),
        ("also", &[0.5, 0.0]),
        ("longer", &[1.0, 0.0, 0.0]),
        ("none", &[0.0, 0.0]),
    ] {
        put(db, id, [("v", vector(numbers))]).await;
    }
    put(db, "text", [("v", text("x"))]).await;
    put(db, "absent", [("w", vector(&[1.0, 0.0]))]).await;
    let found = |max_distance| async move { ids(db, &near(&[1.0, 0.0], max_distance)).await };
    let all = ["also", "same", "slant", "right", "opposite"];
    assert_eq!(found(2.0).await, all);
    assert_eq!(found(0.5).await, all[..3]);
    assert_eq!(found(0.0).await, all[..2]);
    let mut nearest = near(&[1.0, 0.0], 2.0);
    nearest.limit = 3;
    assert_eq!(ids(db, &nearest).await, all[..3]);
}

/// Were it not so, the nearest of others would take the places of one's own.
pub(crate) async fn a_search_goes_by_its_conditions_first(db: &dyn DocumentDb) {
    for number in 0..20 {
        let id = format!("foreign{number}");
        put(db, &id, [("v", vector(&[1.0, 0.0])), ("org", text("o2"))]).await;
    }
    for (id, org, kind) in [("a", "o1", "x"), ("b", "o1", "y"), ("c", "o1", "z")] {
        let entries = [
            ("org", text(org)),
            ("kind", text(kind)),
            ("v", vector(&[1.0, 1.0])),
        ];
        put(db, id, entries).await;
    }
    let mut query = near(&[1.0, 0.0], 2.0)
        .filter("org", Comparison::Equal, "o1")
        .filter("kind", Comparison::In, vec!["x", "z"]);
    query.limit = 2;
    assert_eq!(ids(db, &query).await, ["a", "c"]);
}

pub(crate) async fn a_search_goes_by_what_an_array_contains(db: &dyn DocumentDb) {
    for (id, tags) in [("a", vec!["x", "y"]), ("b", vec!["y"]), ("c", vec![])] {
        let entries = [("tags", texts(tags)), ("v", vector(&[1.0, 1.0]))];
        put(db, id, entries).await;
    }
    let of = |tag| near(&[1.0, 0.0], 2.0).filter("tags", Comparison::ArrayContains, tag);
    assert_eq!(ids(db, &of("y")).await, ["a", "b"]);
    assert_eq!(ids(db, &of("z")).await, [""; 0]);
}

pub(crate) async fn a_search_is_bounded_and_has_no_position(db: &dyn DocumentDb) {
    let query = near(&[1.0, 0.0], 2.0);
    let after = Some((None, "a".to_owned()));
    for query in [
        Query {
            limit: 0,
            ..query.clone()
        },
        Query {
            limit: 1_001,
            ..query.clone()
        },
        Query { after, ..query },
    ] {
        let refused = db.query(&query).await.unwrap_err();
        assert!(matches!(refused, Error::Rejected(_)), "{refused:?}");
    }
}

pub(crate) async fn an_array_of_numbers_is_no_vector(db: &dyn DocumentDb) {
    let values = vec![double(1.0), double(0.0)];
    let array = value(ValueType::ArrayValue(ArrayValue { values }));
    put(db, "array", [("v", array)]).await;
    assert_eq!(ids(db, &near(&[1.0, 0.0], 2.0)).await, [""; 0]);
}

pub(crate) async fn a_count_is_of_what_a_query_finds(db: &dyn DocumentDb) {
    for (id, org) in [("a", "o1"), ("b", "o1"), ("c", "o2")] {
        put(db, id, [("org", text(org))]).await;
    }
    let of = |org: &str, limit| Query::new("things", limit).filter("org", Comparison::Equal, org);
    assert_eq!(db.count(&of("o1", 10)).await.unwrap(), 2);
    assert_eq!(db.count(&of("o1", 1)).await.unwrap(), 1);
    assert_eq!(db.count(&of("o3", 10)).await.unwrap(), 0);
}
