//! The table of signatures, posted to the running router. Stripe's own libraries are asked about
//! the same table in `emulator-tests/web` and `emulator-tests/python`.

use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    app::{NOW, TestApp},
    running::Running,
};

const TABLE: &str = include_str!("../../../../emulator-tests/contracts/stripe-signatures.json");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(rename = "comment")]
    _comment: String,
    now: jiff::Timestamp,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    secrets: Vec<String>,
    /// The lines of the header, in base64.
    headers: Vec<String>,
    /// In base64.
    body: String,
    accepted: bool,
    official: Official,
    why: Option<String>,
}

/// What Stripe's libraries answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Official {
    node: bool,
    python: bool,
}

fn table() -> Table {
    serde_json::from_str(TABLE).unwrap()
}

#[tokio::test]
async fn each_row_is_accepted_or_refused_by_the_running_router() {
    let table = table();
    assert_eq!(table.now, NOW.parse().unwrap());
    let (mut accepted, mut refused) = (0, 0);
    for row in &table.rows {
        let secrets = row
            .secrets
            .iter()
            .map(|secret| SecretString::from(secret.as_str()));
        let app = TestApp::with_secrets(secrets.collect()).await;
        let running = Running::start(app.router.clone()).await;
        let decode = |text: &String| STANDARD.decode(text).unwrap();
        let headers: Vec<Vec<u8>> = row.headers.iter().map(decode).collect();
        let headers: Vec<&[u8]> = headers.iter().map(Vec::as_slice).collect();
        let status = running.post(&headers, decode(&row.body)).await;
        let expected = if row.accepted { 200 } else { 400 };
        assert_eq!(status, expected, "{}", row.name);
        assert_eq!(
            app.db.count("stripe_events"),
            usize::from(row.accepted),
            "{}",
            row.name
        );
        accepted += usize::from(row.accepted);
        refused += usize::from(!row.accepted);
    }
    assert!(
        accepted >= 15 && refused >= 45,
        "{accepted} and {refused} rows"
    );
}

#[test]
fn where_we_differ_from_stripes_libraries_it_is_said_why() {
    for row in table().rows {
        let official = &row.official;
        let differs = official.node != row.accepted || official.python != row.accepted;
        assert_eq!(row.why.is_some(), differs, "{}", row.name);
    }
}
