use futures::future::join_all;
use shared::store::document_db::{DocumentDb, Precondition, ValueType};

use crate::document_db::support::{fields, int, merge, path, put, read, replace};

const CALLERS: i64 = 50;

async fn increment_when_unchanged(db: &dyn DocumentDb) {
    loop {
        let document = read(db, "counter").await;
        let Some(ValueType::IntegerValue(number)) = document.fields["n"].value_type else {
            panic!("{document:?}");
        };
        let precondition = Precondition::Version(document.version);
        let write = replace(path("counter"), [("n", int(number + 1))], precondition);
        match db.commit(vec![write]).await {
            Ok(_) => return,
            Err(error) => assert!(error.is_lost_race(), "{error:?}"),
        }
    }
}

pub(crate) async fn versioned_increments_of_parallel_callers_are_never_lost(db: &dyn DocumentDb) {
    put(db, "counter", [("n", int(0))]).await;
    join_all((0..CALLERS).map(|_| increment_when_unchanged(db))).await;
    let expected = fields([("n", int(CALLERS))]);
    assert_eq!(read(db, "counter").await.fields, expected);
}

pub(crate) async fn increments_of_parallel_callers_all_count(db: &dyn DocumentDb) {
    let commits = (0..CALLERS).map(|_| db.commit(vec![merge("counter", [], &[("n", 1)])]));
    for outcome in join_all(commits).await {
        outcome.unwrap();
    }
    let expected = fields([("n", int(CALLERS))]);
    assert_eq!(read(db, "counter").await.fields, expected);
}

pub(crate) async fn parallel_creators_make_one_document(db: &dyn DocumentDb) {
    let creations = (0..CALLERS)
        .map(|caller| replace(path("one"), [("n", int(caller))], Precondition::Absent))
        .map(|write| db.commit(vec![write]));
    let outcomes = join_all(creations).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert!(error.is_lost_race(), "{error:?}");
    }
}
