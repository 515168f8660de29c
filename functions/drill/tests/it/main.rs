//! Google's side of a drill, against a stand-in that answers by Google's discovery documents.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod stand_in;

use std::collections::BTreeSet;

use drill::{Deployed, Error, Restorer, described};
use serde_json::{Value, json};

use self::stand_in::StandIn;

const FILE: &str = include_str!("../../../../firestore.indexes.json");

/// The file's entries as the Admin API lists them.
fn listed() -> (Vec<Value>, Vec<Value>) {
    let file: Value = serde_json::from_str(FILE).unwrap();
    let groups = "projects/p/databases/(default)/collectionGroups";
    let index = |(number, entry): (usize, &Value)| {
        let group = entry["collectionGroup"].as_str().unwrap();
        let mut fields = entry["fields"].as_array().unwrap().clone();
        let place = match fields.last().unwrap().get("vectorConfig") {
            Some(_) => fields.len() - 1,
            None => fields.len(),
        };
        let name = json!({ "fieldPath": "__name__", "order": "ASCENDING" });
        fields.insert(place, name);
        json!({
            "name": format!("{groups}/{group}/indexes/i{number}"),
            "queryScope": entry["queryScope"],
            "fields": fields,
            "state": "READY",
        })
    };
    let field = |entry: &Value| {
        let group = entry["collectionGroup"].as_str().unwrap();
        let path = entry["fieldPath"].as_str().unwrap();
        let indexes = entry["indexes"].as_array().unwrap().iter().map(|index| {
            let mut field = json!({ "fieldPath": path });
            for kind in ["order", "arrayConfig"] {
                if let Some(value) = index.get(kind) {
                    field[kind] = value.clone();
                }
            }
            json!({ "queryScope": index["queryScope"], "fields": [field], "state": "READY" })
        });
        let mut listed = json!({
            "name": format!("{groups}/{group}/fields/{path}"),
            "indexConfig": { "indexes": indexes.collect::<Vec<_>>() },
        });
        if entry["ttl"] == true {
            listed["ttlConfig"] = json!({ "state": "ACTIVE" });
        }
        listed
    };
    let indexes = file["indexes"].as_array().unwrap();
    let fields = file["fieldOverrides"].as_array().unwrap();
    let mut fields: Vec<Value> = fields.iter().map(field).collect();
    fields.push(json!({
        "name": format!("{groups}/__default__/fields/*"),
        "indexConfig": { "indexes": [] },
    }));
    (indexes.iter().enumerate().map(index).collect(), fields)
}

#[tokio::test]
async fn the_newest_finished_export_is_taken_by_its_moment() {
    let google = StandIn::start().await;
    google.put_objects(&[
        "2026-09-30T020000Z/2026-09-30T020000Z.overall_export_metadata",
        "2026-10-01T020000Z/2026-10-01T020000Z.overall_export_metadata",
        "by-hand/by-hand.overall_export_metadata",
    ]);
    let export = google.client().newest_export().await.unwrap();
    assert_eq!(export.url, "gs://backups/2026-10-01T020000Z");
    assert_eq!(export.moment.to_string(), "2026-10-01T02:00:00Z");
    assert_eq!(google.problems(), Vec::<String>::new());
}

#[tokio::test]
async fn without_an_export_there_is_no_drill() {
    let google = StandIn::start().await;
    google.put_objects(&["by-hand/by-hand.overall_export_metadata"]);
    let error = google.client().newest_export().await.unwrap_err();
    assert!(matches!(error, Error::NoExport), "{error}");
}

#[tokio::test]
async fn a_database_is_made_filled_and_deleted() {
    let google = StandIn::start().await;
    google.put_objects(&["2026-10-01T020000Z/2026-10-01T020000Z.overall_export_metadata"]);
    let client = google.client();
    let export = client.newest_export().await.unwrap();
    client.create().await.unwrap();
    client.import(&export).await.unwrap();
    assert_eq!(
        google.databases(),
        [("drill-2026-q4".to_owned(), Some(export.url))]
    );
    client.delete().await.unwrap();
    assert_eq!(google.databases(), []);
    assert_eq!(google.problems(), Vec::<String>::new());
}

#[tokio::test]
async fn a_database_that_is_there_is_refused() {
    let google = StandIn::start().await;
    let client = google.client();
    client.create().await.unwrap();
    let refused = client.create().await.unwrap_err();
    assert!(matches!(refused, Error::Refused(_)), "{refused}");
    assert!(refused.to_string().contains("ALREADY_EXISTS"), "{refused}");
}

#[tokio::test]
async fn an_import_that_fails_is_told() {
    let google = StandIn::start().await;
    google.put_objects(&["2026-10-01T020000Z/2026-10-01T020000Z.overall_export_metadata"]);
    google.break_imports();
    let client = google.client();
    let export = client.newest_export().await.unwrap();
    client.create().await.unwrap();
    let error = client.import(&export).await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error}");
}

#[tokio::test]
async fn a_trigger_of_all_databases_or_of_this_one_is_a_bystander() {
    let google = StandIn::start().await;
    let trigger = |name: &str, kind: &str, database: Option<&str>| {
        let mut filters = vec![json!({ "attribute": "type", "value": kind })];
        filters.extend(database.map(|id| json!({ "attribute": "database", "value": id })));
        json!({ "name": name, "eventFilters": filters })
    };
    let written = "google.cloud.firestore.document.v1.written";
    google.put_triggers(vec![
        trigger("own", written, Some("(default)")),
        trigger("user", "google.firebase.auth.user.v2.created", None),
    ]);
    assert_eq!(google.client().bystanders().await.unwrap(), [""; 0]);
    google.put_triggers(vec![
        trigger("all", written, None),
        trigger("drill", written, Some("drill-2026-q4")),
    ]);
    assert_eq!(
        google.client().bystanders().await.unwrap(),
        ["all", "drill"]
    );
    assert_eq!(google.problems(), Vec::<String>::new());
}

#[tokio::test]
async fn triggers_that_are_not_listed_are_no_answer() {
    let google = StandIn::start().await;
    google.lose("projects/staging/locations/europe-west3");
    let refused = google.client().bystanders().await.unwrap_err();
    assert!(matches!(refused, Error::Refused(_)), "{refused}");
    assert!(refused.to_string().contains("europe-west3"), "{refused}");
    assert_eq!(google.problems(), Vec::<String>::new());
}

#[tokio::test]
async fn indexes_in_force_are_told_as_the_file_has_them() {
    let google = StandIn::start().await;
    let (mut indexes, fields) = listed();
    google.put_indexes(indexes.clone(), fields.clone());
    let client = google.client();
    assert_eq!(client.indexes().await.unwrap(), described().unwrap());
    indexes[0]["state"] = json!("CREATING");
    google.put_indexes(indexes, fields);
    let found = client.indexes().await.unwrap();
    let wanted = described().unwrap();
    let missing: BTreeSet<_> = wanted.difference(&found).collect();
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert_eq!(google.problems(), Vec::<String>::new());
}

#[tokio::test]
async fn rules_in_force_are_those_of_the_release() {
    let google = StandIn::start().await;
    assert_eq!(google.client().rules().await.unwrap(), "rules in force");
    assert_eq!(google.problems(), Vec::<String>::new());
}
