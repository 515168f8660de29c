use serde_json::json;
use shared::testing::discovery::Call;

use super::fake::{Google, reply};

const LIST: &str = "drive.files.list";
const CREATE: &str = "drive.files.create";

async fn create(format: Option<&str>) -> Call {
    let made = json!({ "id": "d1", "name": "Brief", "webViewLink": "https://d.example" });
    let google = Google::answering([reply(LIST, json!({})), reply(CREATE, made)]).await;
    let input = json!({
        "title": "Brief", "content": "# Brief\n\n**Now** <b>", "format": format, "folderId": "f1",
    });
    let (output, mut calls) = google.done("google.docs.create", input).await;
    let expected = json!({ "documentId": "d1", "title": "Brief", "link": "https://d.example" });
    assert_eq!(output, expected);
    calls.remove(1)
}

#[tokio::test]
async fn markdown_is_imported_as_html_in_one_call() {
    for format in [None, Some("markdown")] {
        let call = create(format).await;
        assert_eq!(
            call.body["mimeType"],
            "application/vnd.google-apps.document"
        );
        assert_eq!(call.body["name"], "Brief");
        assert_eq!(call.body["parents"], json!(["f1"]));
        let (media_type, html) = call.media.unwrap();
        assert_eq!(media_type, "text/html; charset=UTF-8");
        assert!(
            html.contains("<h1>Brief</h1>\n<p><strong>Now</strong> &lt;b&gt;</p>"),
            "{html}"
        );
    }
}

#[tokio::test]
async fn text_is_imported_as_it_is() {
    let (media_type, text) = create(Some("text")).await.media.unwrap();
    assert_eq!(media_type, "text/plain; charset=UTF-8");
    assert_eq!(text, "# Brief\n\n**Now** <b>");
}

#[tokio::test]
async fn a_document_that_was_made_before_is_found() {
    let found = json!({ "files": [{ "id": "earlier" }] });
    let google = Google::answering([reply(LIST, found)]).await;
    let input = json!({ "title": "Brief", "content": "x" });
    let (output, _) = google.done("google.docs.create", input).await;
    assert_eq!(output["documentId"], "earlier");
}

#[tokio::test]
async fn a_file_and_a_document_of_one_key_are_two_things() {
    let document = create(None).await.body["appProperties"].clone();
    let replies = [reply(LIST, json!({})), reply(CREATE, json!({ "id": "1" }))];
    let google = Google::answering(replies).await;
    let input = json!({ "name": "a", "content": "x" });
    let (_, calls) = google.done("google.drive.create", input).await;
    assert_ne!(document, calls[1].body["appProperties"]);
}
