use super::*;
use crate::store::document_db::{Operation, Precondition};

fn create(id: &str) -> Vec<Write> {
    vec![Write {
        path: DocumentPath::new("things", id),
        operation: Operation::Replace([].into()),
        precondition: Precondition::Absent,
    }]
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_takes_effect() {
    let db = MemoryDb::new();
    db.fail_next_commits(1, true);
    let error = db.commit(create("a")).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    assert_eq!(db.count("things"), 1);
    let error = db.commit(create("a")).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists), "{error}");
    assert_eq!(db.commits().len(), 1);
}

#[tokio::test]
async fn a_lost_commit_has_no_effect() {
    let db = MemoryDb::new();
    db.fail_next_commits(2, false);
    for _ in 0..2 {
        let error = db.commit(create("a")).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{error}");
    }
    assert_eq!(db.count("things"), 0);
    db.commit(create("a")).await.unwrap();
    assert_eq!(db.commits(), [create("a")]);
}

#[tokio::test]
async fn nothing_works_while_all_fails() {
    let db = MemoryDb::new();
    let path = DocumentPath::new("things", "a");
    db.commit(create("a")).await.unwrap();
    db.fail_all(true);
    assert!(db.get(&path).await.is_err());
    assert!(db.query(&Query::new("things", 1)).await.is_err());
    assert!(db.commit(create("b")).await.is_err());
    db.fail_all(false);
    assert!(db.get(&path).await.is_ok());
    assert_eq!(db.documents("things/").len(), 1);
}

#[tokio::test]
async fn a_group_is_all_collections_of_its_name() {
    let db = MemoryDb::new();
    let path = DocumentPath::new("things", "a");
    let paths = [
        path.child("parts", "1"),
        DocumentPath::new("others", "b").child("parts", "2"),
        DocumentPath::new("parts", "3"),
        path.child("partsofparts", "4"),
    ];
    for path in paths {
        let write = Write {
            path,
            operation: Operation::Replace([].into()),
            precondition: Precondition::Absent,
        };
        db.commit(vec![write]).await.unwrap();
    }
    let found = db.query(&Query::group("parts", 10)).await.unwrap();
    let ids: Vec<&str> = found.iter().map(|document| document.path.id()).collect();
    assert_eq!(ids, ["2", "3", "1"]);
}
