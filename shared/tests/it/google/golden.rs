//! Our requests against those that Google's own Python client builds for the same call
//! (`contracts/google/requests.json`).

use serde_json::{Value, json};
use url::Url;

use super::fake::{Google, Reply, reply};

/// What may differ between a request of ours and the golden one.
struct Allowed {
    /// Parameters of the query.
    query: &'static [&'static str],
    /// Fields of the body.
    body: &'static [&'static str],
}

const NOTHING: Allowed = Allowed {
    query: &[],
    body: &[],
};

async fn compare(golden: &str, action: &str, input: Value, replies: Vec<Reply>, allowed: Allowed) {
    let google = Google::answering(replies).await;
    let (_, calls) = google.done(action, input).await;
    let call = calls.last().unwrap();
    let document = include_str!("../../contracts/google/requests.json");
    let document: Value = serde_json::from_str(document).unwrap();
    let mut vectors = document["vectors"].as_array().unwrap().iter();
    let vector = vectors.find(|vector| vector["method"] == golden).unwrap();
    let url: Url = vector["url"].as_str().unwrap().parse().unwrap();
    assert_eq!(vector["http"], call.verb.as_str());
    let decoded = |path: &str| {
        percent_encoding::percent_decode_str(path)
            .decode_utf8_lossy()
            .into_owned()
    };
    assert_eq!(decoded(&call.path), decoded(url.path()));
    assert_eq!(
        query(call.query.clone(), &allowed),
        query(url.query_pairs().into_owned().collect(), &allowed)
    );
    assert_eq!(body(&call.body, &allowed), body(&vector["body"], &allowed));
}

/// `alt=json` is what Google answers in unless told.
fn query(mut pairs: Vec<(String, String)>, allowed: &Allowed) -> Vec<(String, String)> {
    pairs.retain(|(name, _)| name != "alt" && !allowed.query.contains(&name.as_str()));
    pairs.sort();
    pairs
}

fn body(body: &Value, allowed: &Allowed) -> Value {
    let mut body = body.clone();
    for name in allowed.body {
        body.as_object_mut().unwrap().remove(*name).unwrap();
    }
    body
}

#[tokio::test]
async fn a_search_of_mail_is_googles_own() {
    let input = json!({ "query": "newer_than:7d -in:chats", "limit": 100 });
    let replies = vec![reply("gmail.users.messages.list", json!({}))];
    // `false` is the default.
    let allowed = Allowed {
        query: &["includeSpamTrash"],
        body: &[],
    };
    compare(
        "gmail.users.messages.list",
        "google.gmail.search",
        input,
        replies,
        allowed,
    )
    .await;
}

#[tokio::test]
async fn reading_a_mail_is_googles_own() {
    let replies = vec![reply("gmail.users.messages.get", json!({}))];
    let input = json!({ "messageId": "18c0ffee" });
    compare(
        "gmail.users.messages.get",
        "google.gmail.get",
        input,
        replies,
        NOTHING,
    )
    .await;
}

#[tokio::test]
async fn sending_a_mail_is_googles_own() {
    let sent = json!({ "id": "m", "threadId": "t" });
    let replies = vec![
        reply("gmail.users.messages.list", json!({})),
        reply("gmail.users.messages.send", sent),
    ];
    let input =
        json!({ "to": ["a@b.example"], "subject": "s", "text": "t", "threadId": "18c0ffee" });
    let allowed = Allowed {
        query: &[],
        body: &["raw"],
    };
    compare(
        "gmail.users.messages.send",
        "google.gmail.send",
        input,
        replies,
        allowed,
    )
    .await;
}

#[tokio::test]
async fn listing_files_is_googles_own() {
    let input = json!({ "query": "modifiedTime > '2026-11-01T00:00:00Z' and trashed = false" });
    let replies = vec![reply("drive.files.list", json!({}))];
    let allowed = Allowed {
        query: &["fields"],
        body: &[],
    };
    compare(
        "drive.files.list",
        "google.drive.list",
        input,
        replies,
        allowed,
    )
    .await;
}

#[tokio::test]
async fn making_an_appointment_is_googles_own() {
    let input = json!({
        "summary": "Kickoff", "start": "2026-12-01T10:00:00Z", "end": "2026-12-01T10:30:00Z",
        "timeZone": "UTC", "attendees": ["u@example.com"], "notify": true,
    });
    let replies = vec![reply("calendar.events.insert", json!({}))];
    let allowed = Allowed {
        query: &["conferenceDataVersion"],
        body: &["id"],
    };
    compare(
        "calendar.events.insert",
        "google.calendar.create",
        input,
        replies,
        allowed,
    )
    .await;
}

#[tokio::test]
async fn reading_cells_is_googles_own() {
    let input = json!({ "spreadsheetId": "sid", "range": "Sheet1!A1:C10" });
    let replies = vec![reply("sheets.spreadsheets.values.get", json!({}))];
    let allowed = Allowed {
        query: &["dateTimeRenderOption"],
        body: &[],
    };
    compare(
        "sheets.values.get",
        "google.sheets.read",
        input,
        replies,
        allowed,
    )
    .await;
}

#[tokio::test]
async fn appending_rows_is_googles_own() {
    let input = json!({
        "spreadsheetId": "sid", "range": "Sheet1!A1:C1", "rows": [["a", 1, true]], "allowFormulas": true,
    });
    let replies = vec![reply("sheets.spreadsheets.values.append", json!({}))];
    compare(
        "sheets.values.append",
        "google.sheets.append",
        input,
        replies,
        NOTHING,
    )
    .await;
}
