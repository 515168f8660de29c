//! The shortest journal that gives the same documents with the same times.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use hidane_core::path::ResourcePath;
use hidane_core::store::{MemoryStore, ReadTime, Store, StoredDocument};
use hidane_proto::google::firestore::v1::MapValue;

use super::record::{Record, Write};

/// Writes by commit time and database.
type Commits = BTreeMap<(ReadTime, String), Vec<Write>>;

/// One commit per create and update time that a document still has.
pub(super) fn of(memory: &MemoryStore) -> Vec<Record> {
    let mut commits = Commits::new();
    for database in memory.database_names() {
        let root = ResourcePath::root();
        memory.scan_descendants(&database, &root, ReadTime::MAX, &mut |document| {
            add(&mut commits, &database, document);
            ControlFlow::Continue(())
        });
    }
    commits.into_iter().map(record).collect()
}

fn add(commits: &mut Commits, database: &str, document: &StoredDocument) {
    let mut write = |time, write| {
        let commit = commits.entry((time, database.to_owned())).or_default();
        commit.push(write);
    };
    let created = ReadTime::from_timestamp(&document.create_time);
    let updated = ReadTime::from_timestamp(&document.update_time);
    if created != updated {
        // The first version only sets the create time: nobody can read it.
        write(
            created,
            Write {
                path: document.path.to_string(),
                fields: Some(MapValue::default()),
            },
        );
    }
    write(updated, Write::of(document));
}

fn record(((time, database), writes): ((ReadTime, String), Vec<Write>)) -> Record {
    Record {
        database,
        commit_time: time.0,
        writes,
        clears: false,
    }
}
