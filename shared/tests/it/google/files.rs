use serde_json::{Value, json};
use shared::connectors::Error;

use super::fake::{Google, failure, reply, unchecked};

const LIST: &str = "drive.files.list";
const CREATE: &str = "drive.files.create";

fn file(id: &str) -> Value {
    json!({ "id": id, "name": "a.txt", "mimeType": "text/plain", "webViewLink": "https://d.example" })
}

#[tokio::test]
async fn files_are_listed_page_by_page_up_to_the_limit() {
    let pages = [
        json!({ "files": [file("1"), file("2")], "nextPageToken": "p2", "incompleteSearch": false }),
        json!({ "nextPageToken": "p3" }),
        json!({ "files": [file("3"), file("4")] }),
    ];
    let google = Google::answering(pages.clone().map(|page| reply(LIST, page))).await;
    let (output, calls) = google
        .done("google.drive.list", json!({ "limit": 10 }))
        .await;
    let files = output["files"].as_array().unwrap().iter();
    let ids: Vec<_> = files.map(|file| file["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["1", "2", "3", "4"]);
    assert_eq!(output["hasMore"], false);
    let sent = |name| {
        calls
            .iter()
            .map(|call| call.parameter(name))
            .collect::<Vec<_>>()
    };
    assert_eq!(sent("pageToken"), [None, Some("p2"), Some("p3")]);
    assert_eq!(sent("pageSize"), [Some("10"), Some("8"), Some("8")]);
    assert_eq!(sent("q"), [Some("trashed = false"); 3]);

    let google = Google::answering(pages.map(|page| reply(LIST, page))).await;
    let (output, _) = google
        .done("google.drive.list", json!({ "limit": 3 }))
        .await;
    assert_eq!(output["files"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_listing_that_google_could_not_finish_says_so() {
    let page = json!({ "files": [file("1")], "incompleteSearch": true });
    let google = Google::answering([reply(LIST, page)]).await;
    let input = json!({ "query": "name contains 'x'", "limit": null });
    let (output, calls) = google.done("google.drive.list", input).await;
    assert_eq!(output["hasMore"], true);
    assert_eq!(calls[0].parameter("q"), Some("name contains 'x'"));
    assert_eq!(calls[0].parameter("pageSize"), Some("100"));
}

#[tokio::test]
async fn a_file_is_made_with_the_mark_of_its_key() {
    let google = Google::answering([
        reply(LIST, json!({ "files": [] })),
        reply(CREATE, file("1")),
    ])
    .await;
    let content = "line\r\n--boundary\r\n用户";
    let input =
        json!({ "name": "a.csv", "mimeType": "text/csv", "content": content, "folderId": "f1" });
    let (output, calls) = google.done("google.drive.create", input).await;
    assert_eq!(
        output,
        json!({ "fileId": "1", "name": "a.txt", "mimeType": "text/plain", "link": "https://d.example" })
    );
    let [search, create] = calls.as_slice() else {
        panic!("{calls:?}")
    };
    let mark = create.body["appProperties"]["infinityXKey"]
        .as_str()
        .unwrap();
    assert_eq!(
        search.parameter("q").unwrap(),
        format!("appProperties has {{ key='infinityXKey' and value='{mark}' }}")
    );
    // `appProperties`: 124 bytes a pair (`File` of the Drive API).
    assert!("infinityXKey".len() + mark.len() <= 124);
    assert_eq!(create.path, "/upload/drive/v3/files");
    assert_eq!(create.body["parents"], json!(["f1"]));
    let media = ("text/csv; charset=UTF-8".to_owned(), content.to_owned());
    assert_eq!(create.media, Some(media));
}

#[tokio::test]
async fn a_file_that_was_made_before_is_found() {
    let google = Google::answering([reply(LIST, json!({ "files": [file("earlier")] }))]).await;
    let input = json!({ "name": "a.txt", "content": "x" });
    let (output, calls) = google.done("google.drive.create", input).await;
    assert_eq!(
        (output["fileId"].as_str(), calls.len()),
        (Some("earlier"), 1)
    );
}

/// The actions that look before they make, each with its input.
fn makers() -> [(&'static str, Value); 2] {
    [
        (
            "google.drive.create",
            json!({ "name": "a", "content": "x" }),
        ),
        (
            "google.docs.create",
            json!({ "title": "a", "content": "x" }),
        ),
    ]
}

#[tokio::test]
async fn a_file_that_was_made_before_is_found_behind_empty_and_incomplete_pages() {
    for (action, input) in makers() {
        let pages = [
            json!({ "files": [], "nextPageToken": "p2", "incompleteSearch": true }),
            json!({ "nextPageToken": "p3" }),
            json!({ "files": [file("earlier")] }),
        ];
        let google = Google::answering(pages.map(|page| reply(LIST, page))).await;
        let (output, calls) = google.done(action, input).await;
        let id = output.get("fileId").or(output.get("documentId"));
        assert_eq!(id, Some(&json!("earlier")), "{action}");
        let tokens: Vec<_> = calls
            .iter()
            .map(|call| call.parameter("pageToken"))
            .collect();
        assert_eq!(tokens, [None, Some("p2"), Some("p3")]);
    }
}

#[tokio::test]
async fn nothing_is_made_when_it_cannot_be_looked_for() {
    let endless = || reply(LIST, json!({ "nextPageToken": "p" }));
    let incomplete = |token| json!({ "incompleteSearch": true, "nextPageToken": token });
    for (action, input) in makers() {
        for replies in [
            vec![unchecked(LIST, failure(503, "backendError"))],
            vec![reply(
                LIST,
                json!({ "files": [], "incompleteSearch": true }),
            )],
            vec![reply(LIST, incomplete("p2")), reply(LIST, json!({}))],
            (0..30).map(|_| endless()).collect(),
        ] {
            let google = Google::answering(replies).await;
            let error = google.perform(action, input.clone()).await.unwrap_err();
            assert!(matches!(error, Error::Unavailable(_)), "{action}: {error}");
        }
    }
}

#[tokio::test]
async fn a_media_type_cannot_add_a_line_to_the_upload() {
    for mime_type in [
        "text/plain\r\nX: y",
        "text",
        "text/",
        "/x",
        "a/b; c=d",
        "a b/c",
        &"a/".repeat(70),
    ] {
        let google = Google::answering([]).await;
        let input = json!({ "name": "a", "content": "x", "mimeType": mime_type });
        let error = google
            .perform("google.drive.create", input)
            .await
            .unwrap_err();
        assert!(
            matches!(&error, Error::Input { field, .. } if field == "mimeType"),
            "{error}"
        );
    }
}
