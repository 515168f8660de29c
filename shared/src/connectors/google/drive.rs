//! Drive v3 (<https://developers.google.com/workspace/drive/api/reference/rest/v3>).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call::{Session, Unfinished, read, write};
use crate::{
    connectors::{Error, input::refused},
    ids::fingerprint,
};

/// What is asked of a file.
const FILE_FIELDS: &str = "id,name,mimeType,modifiedTime,webViewLink";

const DEFAULT_LIMIT: usize = 100;

/// Pages above this many are not asked for: they may be empty, and have no end.
const MAX_PAGES: usize = 30;

/// The largest page that Drive gives.
const MAX_PAGE: usize = 1_000;

/// Under which private property of a file the key of its making stands, as a hash: name and value
/// have 124 bytes at most.
const MARK: &str = "infinityXKey";

/// Longest name of a media type, with room for both halves (RFC 6838 section 4.2).
const MAX_MEDIA_TYPE_LEN: usize = 127;

#[derive(Deserialize)]
pub(super) struct Listing {
    query: Option<String>,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewFile {
    name: String,
    mime_type: Option<String>,
    content: String,
    folder_id: Option<String>,
}

/// A file to be made: with another type than its content it is converted on the way.
pub(super) struct Upload<'a> {
    pub(super) name: &'a str,
    pub(super) mime_type: &'a str,
    pub(super) folder_id: Option<&'a str>,
    pub(super) content_type: &'a str,
    pub(super) content: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    files: Vec<File>,
    next_page_token: Option<String>,
    #[serde(default)]
    incomplete_search: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct File {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    mime_type: Option<String>,
    modified_time: Option<String>,
    pub(super) web_view_link: Option<String>,
}

/// Files, page by page up to the limit. Without a query, those that are not in the bin.
pub(super) async fn list(session: &Session<'_>, listing: Listing) -> Result<Value, Error> {
    let limit = listing.limit.unwrap_or(DEFAULT_LIMIT);
    let query = listing.query.as_deref().unwrap_or("trashed = false");
    let mut files = Vec::new();
    let mut is_incomplete = false;
    let mut page_token = None;
    for _ in 0..MAX_PAGES {
        let wanted = (limit - files.len()).min(MAX_PAGE);
        let page = find(session, query, wanted, page_token.as_deref()).await?;
        files.extend(page.files);
        files.truncate(limit);
        is_incomplete |= page.incomplete_search;
        page_token = page.next_page_token;
        if page_token.is_none() || files.len() == limit {
            break;
        }
    }
    let has_more = is_incomplete || page_token.is_some();
    Ok(json!({ "files": files, "hasMore": has_more }))
}

/// Makes a file with text in it, unless the key has made one.
pub(super) async fn create(
    session: &Session<'_>,
    file: NewFile,
    key: &str,
) -> Result<Value, Error> {
    let mime_type = file.mime_type.as_deref().unwrap_or("text/plain");
    if !is_media_type(mime_type) {
        return Err(refused("mimeType", "is no media type such as `text/plain`"));
    }
    let upload = Upload {
        name: &file.name,
        mime_type,
        folder_id: file.folder_id.as_deref(),
        content_type: mime_type,
        content: &file.content,
    };
    let made = upload
        .find_or_make(session, &["google.drive.create", key])
        .await?;
    Ok(json!({
        "fileId": made.id,
        "name": made.name,
        "mimeType": made.mime_type,
        "link": made.web_view_link,
    }))
}

impl Upload<'_> {
    /// Drive knows no keys and gives ids itself; but an application can mark its files, and look
    /// for the mark. A file in the bin was made as well.
    pub(super) async fn find_or_make(
        &self,
        session: &Session<'_>,
        key: &[&str],
    ) -> Result<File, Error> {
        let mark = fingerprint(key);
        match find_made(session, &mark).await? {
            Some(file) => Ok(file),
            None => self.make(session, &mark).await,
        }
    }

    /// <https://developers.google.com/workspace/drive/api/guides/manage-uploads#multipart>.
    async fn make(&self, session: &Session<'_>, mark: &str) -> Result<File, Error> {
        let mut metadata = json!({
            "name": self.name,
            "mimeType": self.mime_type,
            "appProperties": { MARK: mark },
        });
        if let Some(folder_id) = self.folder_id {
            metadata["parents"] = json!([folder_id]);
        }
        // No content holds its own hash.
        let boundary = fingerprint(&[mark, self.content]);
        let Self {
            content_type,
            content,
            ..
        } = self;
        let body = format!(
            "--{boundary}\r\n\
             Content-Type: application/json; charset=UTF-8\r\n\r\n\
             {metadata}\r\n\
             --{boundary}\r\n\
             Content-Type: {content_type}; charset=UTF-8\r\n\r\n\
             {content}\r\n\
             --{boundary}--\r\n"
        );
        let request = session
            .post(&session.config.apis, "/upload/drive/v3/files")
            .query(&[("uploadType", "multipart"), ("fields", FILE_FIELDS)])
            .header(
                reqwest::header::CONTENT_TYPE,
                format!("multipart/related; boundary={boundary}"),
            );
        write(request.body(body)).await
    }
}

/// The file with this mark. An empty page may have the one with it behind it, and Drive does not
/// always look everywhere.
async fn find_made(session: &Session<'_>, mark: &str) -> Result<Option<File>, Error> {
    let query = format!("appProperties has {{ key='{MARK}' and value='{mark}' }}");
    let mut is_incomplete = false;
    let mut page_token = None;
    for _ in 0..MAX_PAGES {
        let page = find(session, &query, 1, page_token.as_deref()).await?;
        if let Some(file) = page.files.into_iter().next() {
            return Ok(Some(file));
        }
        is_incomplete |= page.incomplete_search;
        page_token = page.next_page_token;
        if page_token.is_none() && !is_incomplete {
            return Ok(None);
        }
        if page_token.is_none() {
            break;
        }
    }
    Err(Unfinished.into())
}

async fn find(
    session: &Session<'_>,
    query: &str,
    page_size: usize,
    page_token: Option<&str>,
) -> Result<Page, Error> {
    let fields = format!("nextPageToken,incompleteSearch,files({FILE_FIELDS})");
    let request = session
        .get(&session.config.apis, "/drive/v3/files")
        .query(&[("q", query), ("fields", &fields)])
        .query(&[("pageSize", page_size)])
        .query(&page_token.map(|token| [("pageToken", token)]));
    read(request).await
}

/// It becomes a line of the request: nothing that ends one, and no parameters.
fn is_media_type(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte);
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(is_allowed);
    text.len() <= MAX_MEDIA_TYPE_LEN
        && text
            .split_once('/')
            .is_some_and(|(kind, subtype)| is_name(kind) && is_name(subtype))
}
