use shared::store::document_db::{DocumentDb, Error, Precondition};

use crate::document_db::support::{delete, fields, int, path, put, read, replace, set, text};

pub(crate) async fn a_commit_without_writes_is_fine(db: &dyn DocumentDb) {
    db.commit(Vec::new()).await.unwrap();
}

pub(crate) async fn a_document_is_created_once(db: &dyn DocumentDb) {
    let create = |number| replace(path("a"), [("n", int(number))], Precondition::Absent);
    db.commit(vec![create(1)]).await.unwrap();
    let error = db.commit(vec![create(2)]).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists), "{error:?}");
    assert_eq!(read(db, "a").await.fields, fields([("n", int(1))]));
}

pub(crate) async fn a_document_exists_until_it_is_deleted(db: &dyn DocumentDb) {
    assert!(!db.exists(&path("a")).await.unwrap());
    put(db, "a", [("n", int(1))]).await;
    assert!(db.exists(&path("a")).await.unwrap());
    let gone = vec![delete("a", Precondition::None)];
    db.commit(gone).await.unwrap();
    assert!(!db.exists(&path("a")).await.unwrap());
}

pub(crate) async fn a_deleted_document_can_be_created_again(db: &dyn DocumentDb) {
    put(db, "a", [("n", int(1))]).await;
    db.commit(vec![delete("a", Precondition::None)])
        .await
        .unwrap();
    assert_eq!(db.get(&path("a")).await.unwrap(), None);
    let create = replace(path("a"), [("n", int(2))], Precondition::Absent);
    db.commit(vec![create]).await.unwrap();
}

pub(crate) async fn a_stale_version_is_a_conflict(db: &dyn DocumentDb) {
    put(db, "a", [("n", int(1))]).await;
    let stale = read(db, "a").await.version;
    put(db, "a", [("n", int(2))]).await;
    let fresh = read(db, "a").await.version;
    let at = |version, number| {
        let precondition = Precondition::Version(version);
        replace(path("a"), [("n", int(number))], precondition)
    };
    let error = db.commit(vec![at(stale, 3)]).await.unwrap_err();
    assert!(matches!(error, Error::Conflict), "{error:?}");
    assert_eq!(read(db, "a").await.fields, fields([("n", int(2))]));
    db.commit(vec![at(fresh, 4)]).await.unwrap();
    assert_eq!(read(db, "a").await.fields, fields([("n", int(4))]));
}

pub(crate) async fn a_missing_document_cannot_be_replaced_at_a_version(db: &dyn DocumentDb) {
    let version = put(db, "other", [("n", int(1))]).await;
    let write = replace(path("a"), [("n", int(1))], Precondition::Version(version));
    let error = db.commit(vec![write]).await.unwrap_err();
    assert!(matches!(error, Error::Conflict), "{error:?}");
    let write = replace(path("a"), [("n", int(1))], Precondition::Exists);
    let error = db.commit(vec![write]).await.unwrap_err();
    assert!(matches!(error, Error::NotFound), "{error:?}");
    assert_eq!(db.get(&path("a")).await.unwrap(), None);
}

pub(crate) async fn preconditions_guard_deletions(db: &dyn DocumentDb) {
    db.commit(vec![delete("missing", Precondition::None)])
        .await
        .unwrap();
    let error = db
        .commit(vec![delete("missing", Precondition::Exists)])
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotFound), "{error:?}");

    put(db, "a", [("n", int(1))]).await;
    let stale = read(db, "a").await.version;
    put(db, "a", [("n", int(2))]).await;
    let fresh = read(db, "a").await.version;
    let error = db
        .commit(vec![delete("a", Precondition::Version(stale))])
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Conflict), "{error:?}");
    db.commit(vec![delete("a", Precondition::Version(fresh))])
        .await
        .unwrap();
    assert_eq!(db.get(&path("a")).await.unwrap(), None);
}

pub(crate) async fn a_failing_write_undoes_the_whole_commit(db: &dyn DocumentDb) {
    put(db, "b", [("n", int(1))]).await;
    let writes = vec![
        set("a", [("n", int(1))]),
        delete("b", Precondition::None),
        replace(path("c"), [("n", int(1))], Precondition::Exists),
    ];
    let error = db.commit(writes).await.unwrap_err();
    assert!(matches!(error, Error::NotFound), "{error:?}");
    assert_eq!(db.get(&path("a")).await.unwrap(), None);
    assert_eq!(read(db, "b").await.fields, fields([("n", int(1))]));
}

pub(crate) async fn versions_rise_strictly(db: &dyn DocumentDb) {
    let mut last = None;
    for number in 0..20 {
        let committed = put(db, "a", [("n", int(number))]).await;
        let version = read(db, "a").await.version;
        assert_eq!(version, committed);
        assert!(Some(version) > last, "{version} after {last:?}");
        last = Some(version);
    }
}

pub(crate) async fn a_write_that_changes_nothing_keeps_the_version(db: &dyn DocumentDb) {
    put(db, "a", [("n", int(1))]).await;
    let before = read(db, "a").await;
    put(db, "a", [("n", int(1))]).await;
    assert_eq!(read(db, "a").await, before);
}

pub(crate) async fn unusual_ids_are_kept(db: &dyn DocumentDb) {
    for id in ["node#0", "ä ö", "数#1,2", "a.b:c", "100%", "?x=1&y"] {
        put(db, id, [("n", int(1))]).await;
        assert_eq!(read(db, id).await.path.id(), id);
    }
}

pub(crate) async fn a_document_over_1_mib_is_rejected(db: &dyn DocumentDb) {
    put(db, "fits", [("t", text(&"x".repeat(1_000_000)))]).await;
    let large = set("large", [("t", text(&"x".repeat(1_048_576)))]);
    let error = db.commit(vec![large]).await.unwrap_err();
    assert!(matches!(error, Error::Rejected(_)), "{error:?}");
}
