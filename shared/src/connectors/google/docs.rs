//! Google documents, made by Drive's import of HTML and text
//! (`docs/adr/20261126-google-documents-by-import.md`).

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{call::Session, drive::Upload};
use crate::connectors::Error;

const DOCUMENT: &str = "application/vnd.google-apps.document";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewDocument {
    title: String,
    content: String,
    #[serde(default)]
    format: Format,
    folder_id: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Format {
    Text,
    #[default]
    Markdown,
}

/// Makes a document, unless the key has made one.
pub(super) async fn create(
    session: &Session<'_>,
    document: NewDocument,
    key: &str,
) -> Result<Value, Error> {
    let (content_type, content) = match document.format {
        Format::Text => ("text/plain", document.content),
        Format::Markdown => ("text/html", to_html(&document.content)),
    };
    let upload = Upload {
        name: &document.title,
        mime_type: DOCUMENT,
        folder_id: document.folder_id.as_deref(),
        content_type,
        content: &content,
    };
    let made = upload
        .find_or_make(session, &["google.docs.create", key])
        .await?;
    Ok(json!({ "documentId": made.id, "title": made.name, "link": made.web_view_link }))
}

fn to_html(markdown: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut body = String::new();
    html::push_html(&mut body, Parser::new_ext(markdown, options).map(harmless));
    format!("<!DOCTYPE html><html><head><meta charset=\"utf-8\"></head><body>{body}</body></html>")
}

/// Google fetches the images of what it imports, so that an address could carry data away: images
/// become links. HTML in Markdown is text.
fn harmless(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Image {
            link_type,
            dest_url,
            title,
            id,
        }) => Event::Start(Tag::Link {
            link_type,
            dest_url,
            title,
            id,
        }),
        Event::End(TagEnd::Image) => Event::End(TagEnd::Link),
        event => event,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(markdown: &str) -> String {
        let html = to_html(markdown);
        let (_, body) = html.split_once("<body>").unwrap();
        body.trim_end_matches("</body></html>").trim().to_owned()
    }

    #[test]
    fn markdown_becomes_html() {
        assert_eq!(
            body("# T\n\n- *a*\n- **b**\n\n[c](https://c.example)"),
            "<h1>T</h1>\n<ul>\n<li><em>a</em></li>\n<li><strong>b</strong></li>\n</ul>\n\
             <p><a href=\"https://c.example\">c</a></p>"
        );
        assert!(body("|a|\n|-|\n|b|").contains("<td>b</td>"));
        assert_eq!(body("~~x~~ & y"), "<p><del>x</del> &amp; y</p>");
    }

    #[test]
    fn nothing_is_fetched_for_a_document() {
        let markdown = "![x](https://evil.example/?q=1)\n\n<img src=\"https://evil.example\">\n\n\
                        a <img src=x> b";
        let html = body(markdown);
        assert!(!html.contains("<img"), "{html}");
        assert!(
            html.contains("<a href=\"https://evil.example/?q=1\">x</a>"),
            "{html}"
        );
        assert!(html.contains("a &lt;img src=x&gt; b"), "{html}");
    }
}
