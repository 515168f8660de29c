use base64::{
    Engine,
    engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use shared::{connectors::Error, testing::discovery::Call};

use super::fake::{Google, failure, reply, unchecked};

const LIST: &str = "gmail.users.messages.list";
const GET: &str = "gmail.users.messages.get";
const ATTACHMENT: &str = "gmail.users.messages.attachments.get";
const SEND: &str = "gmail.users.messages.send";

fn mail() -> Value {
    json!({ "to": ["ada@example.com"], "subject": "Hello", "text": "Hi." })
}

fn header(name: &str, value: &str) -> Value {
    json!({ "name": name, "value": value })
}

fn part(mime_type: &str, text: &str) -> Value {
    json!({ "mimeType": mime_type, "filename": "", "body": { "data": URL_SAFE.encode(text) } })
}

async fn get(payload: Value) -> Value {
    let message = json!({ "id": "m1", "threadId": "t1", "payload": payload });
    let google = Google::answering([reply(GET, message)]).await;
    let input = json!({ "messageId": "m1" });
    google.done("google.gmail.get", input).await.0
}

/// The message of a call as it was written.
fn sent_message(call: &Call) -> String {
    let raw = call.body["raw"].as_str().unwrap();
    String::from_utf8(URL_SAFE_NO_PAD.decode(raw).unwrap()).unwrap()
}

#[tokio::test]
async fn mail_is_searched_page_by_page_up_to_the_limit() {
    let message = |id: &str| json!({ "id": id, "threadId": "t" });
    let pages = [
        json!({ "messages": [message("1"), message("2")], "nextPageToken": "p2" }),
        json!({ "nextPageToken": "p3", "resultSizeEstimate": 4 }),
        json!({ "messages": [message("3"), message("4")], "nextPageToken": "p4" }),
    ];
    let google = Google::answering(pages.map(|page| reply(LIST, page))).await;
    let input = json!({ "query": "from:ada is:unread", "limit": 3 });
    let (output, calls) = google.done("google.gmail.search", input).await;
    let found = |id: &str| json!({ "messageId": id, "threadId": "t" });
    let expected = json!({ "messages": [found("1"), found("2"), found("3")], "hasMore": true });
    assert_eq!(output, expected);
    let sent = |name| {
        calls
            .iter()
            .map(|call| call.parameter(name))
            .collect::<Vec<_>>()
    };
    assert_eq!(sent("pageToken"), [None, Some("p2"), Some("p3")]);
    assert_eq!(sent("maxResults"), [Some("3"), Some("1"), Some("1")]);
    assert_eq!(sent("q"), [Some("from:ada is:unread"); 3]);
}

#[tokio::test]
async fn a_search_may_find_nothing() {
    let google = Google::answering([reply(LIST, json!({ "resultSizeEstimate": 0 }))]).await;
    let (output, calls) = google
        .done("google.gmail.search", json!({ "query": "x" }))
        .await;
    assert_eq!(output, json!({ "messages": [], "hasMore": false }));
    assert_eq!(calls[0].parameter("maxResults"), Some("20"));
}

#[tokio::test]
async fn pages_without_an_end_have_one() {
    let rows = [
        ("google.gmail.search", json!({ "query": "x" }), LIST),
        ("google.drive.list", json!({}), "drive.files.list"),
    ];
    for (action, input, method) in rows {
        let empty = reply(method, json!({ "nextPageToken": "again" }));
        let google = Google::answering(vec![empty; 30]).await;
        let (output, _) = google.done(action, input).await;
        assert_eq!(output["hasMore"], true);
    }
}

#[tokio::test]
async fn a_message_is_read_with_its_headers_and_plain_text() {
    let output = get(json!({
        "mimeType": "multipart/mixed",
        "headers": [
            header("from", "Ada <ada@example.com>"),
            header("Subject", "Grüße"),
            header("Date", "Thu, 26 Nov 2026 12:00:00 +0000"),
            header("Message-Id", "<1@example.com>"),
        ],
        "parts": [
            { "mimeType": "text/plain", "filename": "notes.txt",
              "body": { "attachmentId": "a1", "size": 7 } },
            { "mimeType": "multipart/alternative", "parts": [
                part("text/html", "<p>Hi.</p>"), part("text/plain", "Hi. 用户\r\n"),
            ]},
        ],
    }))
    .await;
    let expected = json!({
        "messageId": "m1", "threadId": "t1",
        "from": "Ada <ada@example.com>", "to": null, "cc": null, "subject": "Grüße",
        "date": "Thu, 26 Nov 2026 12:00:00 +0000", "rfc822MessageId": "<1@example.com>",
        "snippet": null, "text": "Hi. 用户\r\n",
        "attachments": [{ "name": "notes.txt", "mimeType": "text/plain", "bytes": 7 }],
    });
    assert_eq!(output, expected);
}

#[tokio::test]
async fn html_alone_is_read_as_text() {
    let output = get(part(
        "Text/HTML",
        "<p>Hi&nbsp;Ada.</p><script>x</script><p>Bye.</p>",
    ))
    .await;
    assert_eq!(output["text"], "Hi Ada.\n\nBye.");
}

#[tokio::test]
async fn a_long_text_is_fetched_where_it_is_kept() {
    let payload = json!({ "mimeType": "text/plain", "filename": "", "body": { "attachmentId": "a/1", "size": 3 } });
    let body = json!({ "size": 3, "data": URL_SAFE.encode("Hi.") });
    let replies = [
        reply(GET, json!({ "id": "m1", "payload": payload })),
        reply(ATTACHMENT, body),
    ];
    let google = Google::answering(replies).await;
    let (output, calls) = google
        .done("google.gmail.get", json!({ "messageId": "m1" }))
        .await;
    assert_eq!(output["text"], "Hi.");
    assert_eq!(calls[0].parameter("format"), Some("full"));
    assert_eq!(
        (calls[1].parameter("messageId"), calls[1].parameter("id")),
        (Some("m1"), Some("a/1"))
    );
}

#[tokio::test]
async fn a_message_without_anything_is_still_a_message() {
    for payload in [
        json!({}),
        json!({ "mimeType": "image/png", "body": {} }),
        part("text/plain", ""),
    ] {
        assert_eq!(get(payload).await["text"], "");
    }
}

#[tokio::test]
async fn a_text_that_is_no_base64_is_malformed() {
    let payload = json!({ "mimeType": "text/plain", "body": { "data": "a" } });
    let message = reply(GET, json!({ "payload": payload }));
    let google = Google::answering([message]).await;
    let error = google
        .perform("google.gmail.get", json!({ "messageId": "m1" }))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Malformed), "{error}");
}

#[tokio::test]
async fn a_mail_is_looked_for_before_it_is_sent() {
    let sent = json!({ "id": "m1", "threadId": "t1", "labelIds": ["SENT"] });
    let google = Google::answering([reply(LIST, json!({})), reply(SEND, sent)]).await;
    let mut input = mail();
    input["threadId"] = json!("t1");
    input["inReplyTo"] = json!("<first@example.com>");
    let (output, calls) = google.done("google.gmail.send", input).await;
    let [search, send] = calls.as_slice() else {
        panic!("{calls:?}")
    };
    let id = output["rfc822MessageId"]
        .as_str()
        .unwrap()
        .trim_matches(['<', '>']);
    assert_eq!(
        search.parameter("q"),
        Some(format!("rfc822msgid:{id}").as_str())
    );
    assert_eq!(search.parameter("includeSpamTrash"), Some("true"));
    assert_eq!(send.body["threadId"], "t1");
    let message = sent_message(send);
    for line in [
        format!("Message-ID: <{id}>\r\n"),
        "In-Reply-To: <first@example.com>\r\n".to_owned(),
        "References: <first@example.com>\r\n".to_owned(),
        "Date: Thu, 26 Nov 2026 12:00:00 +0000\r\n".to_owned(),
    ] {
        assert!(message.contains(&line), "{line:?} is not in {message}");
    }
    assert_eq!(
        (&output["messageId"], &output["threadId"]),
        (&json!("m1"), &json!("t1"))
    );
}

#[tokio::test]
async fn a_mail_that_was_sent_before_is_found_and_not_sent_again() {
    let found = json!({ "messages": [{ "id": "m1", "threadId": "t1" }] });
    let google = Google::answering([reply(LIST, found)]).await;
    let (output, calls) = google.done("google.gmail.send", mail()).await;
    assert_eq!((output["messageId"].as_str(), calls.len()), (Some("m1"), 1));
}

#[tokio::test]
async fn a_mail_that_was_sent_before_is_found_behind_an_empty_page() {
    let empty = json!({ "nextPageToken": "p2" });
    let found = json!({ "messages": [{ "id": "m1", "threadId": "t1" }] });
    let google = Google::answering([reply(LIST, empty), reply(LIST, found)]).await;
    let (output, calls) = google.done("google.gmail.send", mail()).await;
    assert_eq!((output["messageId"].as_str(), calls.len()), (Some("m1"), 2));
    assert_eq!(calls[1].parameter("pageToken"), Some("p2"));
    assert_eq!(calls[0].parameter("q"), calls[1].parameter("q"));
}

#[tokio::test]
async fn a_mail_is_not_sent_after_a_search_without_an_end() {
    let pages = (0..30).map(|_| reply(LIST, json!({ "nextPageToken": "p" })));
    let google = Google::answering(pages).await;
    let error = google
        .perform("google.gmail.send", mail())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
}

#[tokio::test]
async fn a_mail_that_cannot_be_looked_for_is_not_sent() {
    let google = Google::answering([unchecked(LIST, failure(500, "backendError"))]).await;
    let error = google
        .perform("google.gmail.send", mail())
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Unavailable(_)),
        "nothing has happened: {error}"
    );
}

#[tokio::test]
async fn a_hundred_injected_headers_are_refused_unsent() {
    let google = Google::answering([]).await;
    for number in 0..100_u32 {
        let end = ["\r\n", "\n", "\r", "\0"][number as usize % 4];
        let text = format!("Hello{end}Bcc: x{number}@evil.example");
        let (field, value) = [
            ("subject", json!(text)),
            ("to", json!([text])),
            ("cc", json!([text])),
            ("inReplyTo", json!(text)),
        ][number as usize / 4 % 4]
            .clone();
        let mut input = mail();
        input[field] = value;
        let error = google
            .perform("google.gmail.send", input)
            .await
            .unwrap_err();
        assert!(
            matches!(&error, Error::Input { field: at, .. } if at.starts_with(field)),
            "{error}"
        );
        assert!(!error.to_string().contains("evil"), "{error}");
    }
    assert!(google.calls().is_empty());
}
