//! Events that can never be handled: what is recorded of them says nothing of what was in them.

use std::collections::BTreeSet;

use emulator_tests::client::http_client;
use reqwest::StatusCode;
use shared::{
    events::{DOCUMENT_WRITTEN, Document, encode_written},
    store::document_db::{ValueType, value},
};

use crate::world::World;

/// A secret in each field of what comes to the function, one after the other, and in bytes that are
/// no event.
pub(crate) async fn arrive(world: &World) {
    let secret = world.secrets.make("secret of an event", "sk_live_");
    let text = |text: &str| value(ValueType::StringValue(text.to_owned()));
    let fields = [("id", &*secret), ("payload", &secret), (&secret, "x")];
    let fields = fields.map(|(name, value)| (name.to_owned(), text(value)));
    let document = Document {
        name: "projects/p/databases/(default)/documents/triggers/dead-1".to_owned(),
        fields: fields.into(),
        ..Document::default()
    };
    let written = encode_written(Some(document), None);
    let rows = [
        (DOCUMENT_WRITTEN.to_owned(), written.clone()),
        (DOCUMENT_WRITTEN.to_owned(), secret.clone().into_bytes()),
        (secret.clone(), written),
    ];
    let before = records(world);
    for (number, (kind, body)) in rows.into_iter().enumerate() {
        let status = deliver(world, number, &kind, body).await;
        assert_eq!(status, StatusCode::NO_CONTENT, "acknowledged");
    }
    assert_eq!(records(world) - before, 3, "each is recorded");
}

fn records(world: &World) -> usize {
    let contents = world.witness.contents();
    let paths = contents.iter().map(|(path, _)| path);
    let recorded: BTreeSet<_> = paths.filter(|path| path.contains("idempotency/")).collect();
    recorded.len()
}

async fn deliver(world: &World, number: usize, kind: &str, body: Vec<u8>) -> StatusCode {
    let base = &world.harness.endpoints().api_url;
    let request = http_client()
        .unwrap()
        .post(format!("{base}/functions/execute-workflow"))
        .header("ce-specversion", "1.0")
        .header("ce-id", format!("dead-{number}"))
        .header("ce-type", kind)
        .header(
            "ce-source",
            "//firestore.googleapis.com/projects/p/databases/(default)",
        )
        .header("ce-subject", "documents/triggers/dead-1")
        .header("ce-document", "triggers/dead-1")
        .header("content-type", "application/protobuf")
        .body(body);
    let place = "POST /functions/execute-workflow";
    world.answers.send(place, request).await.status
}
