use serde_json::json;
use shared::store::{
    document_db::{DocumentDb, Operation, Precondition},
    encode,
};

use crate::document_db::support::{double, fields, int, merge, path, put, read, text};

pub(crate) async fn a_merge_changes_only_its_fields(db: &dyn DocumentDb) {
    let replaced = encode(&path("a"), &json!({ "kept": 1, "map": { "x": 1, "y": 2 } })).unwrap();
    let mut write = merge("a", [], &[]);
    write.operation = Operation::Replace(replaced);
    db.commit(vec![write]).await.unwrap();

    let changed = encode(&path("a"), &json!({ "map": { "x": 3 } })).unwrap();
    let mut write = merge("a", [], &[]);
    write.operation = Operation::Merge {
        fields: changed,
        increments: Vec::new(),
    };
    db.commit(vec![write]).await.unwrap();
    let expected = encode(&path("a"), &json!({ "kept": 1, "map": { "x": 3 } })).unwrap();
    assert_eq!(read(db, "a").await.fields, expected);
}

pub(crate) async fn an_increment_adds_and_counts_from_zero(db: &dyn DocumentDb) {
    db.commit(vec![merge("new", [("t", text("x"))], &[("n", 5)])])
        .await
        .unwrap();
    let expected = fields([("t", text("x")), ("n", int(5))]);
    assert_eq!(read(db, "new").await.fields, expected);

    let stored = [
        ("n", int(40)),
        ("d", double(0.5)),
        ("t", text("x")),
        ("max", int(i64::MAX - 1)),
    ];
    put(db, "a", stored).await;
    let increments = [("n", 2), ("d", 1), ("t", 3), ("max", 5), ("absent", -1)];
    db.commit(vec![merge("a", [], &increments)]).await.unwrap();
    let expected = fields([
        ("n", int(42)),
        ("d", double(1.5)),
        ("t", int(3)),
        ("max", int(i64::MAX)),
        ("absent", int(-1)),
    ]);
    assert_eq!(read(db, "a").await.fields, expected);

    let mut write = merge("missing", [], &[("n", 1)]);
    write.precondition = Precondition::Exists;
    assert!(db.commit(vec![write]).await.unwrap_err().is_lost_race());

    db.commit(vec![merge("a", [], &[("stats.today", 2)])])
        .await
        .unwrap();
    db.commit(vec![merge("a", [], &[("stats.today", 2)])])
        .await
        .unwrap();
    let stats = encode(&path("a"), &json!({ "stats": { "today": 4 } })).unwrap();
    assert_eq!(read(db, "a").await.fields["stats"], stats["stats"]);
}

pub(crate) async fn an_increment_in_a_map_changes_nothing_else(db: &dyn DocumentDb) {
    let encoded = |fence: i64| {
        let model = json!({ "kept": 1, "lease": { "owner": "x", "fence": fence } });
        encode(&path("a"), &model).unwrap()
    };
    let mut write = merge("a", [], &[]);
    write.operation = Operation::Replace(encoded(3));
    let before = db.commit(vec![write]).await.unwrap();
    let mut write = merge("a", [], &[("lease.fence", 1)]);
    write.precondition = Precondition::Exists;
    db.commit(vec![write]).await.unwrap();
    let after = read(db, "a").await;
    assert_eq!(after.fields, encoded(4));
    assert!(after.version > before);
}
