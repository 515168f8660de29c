//! Files (<https://developers.google.com/workspace/drive/api/guides/manage-changes>).

use serde::Deserialize;

use super::{
    super::call::{Session, Unfinished, read, read_content, segment},
    Api, DriveFile, FileChange, FileChanges, FilePage, NextFiles, Reading, Since, found,
};
use crate::connectors::Error;

const FILES: &str = "/drive/v3/files";
const CHANGES: &str = "/drive/v3/changes";

/// What is asked of a file.
const FILE_FIELDS: &str =
    "id,name,mimeType,modifiedTime,md5Checksum,headRevisionId,version,size,trashed,webViewLink";

/// Files of a page: each may be content to fetch, and a page is what is kept at once.
const PAGE: usize = 100;

/// `changes.getStartPageToken`.
pub(crate) struct StartPosition;

/// `files.list`.
pub(crate) struct Files<'a> {
    pub(crate) page: Option<&'a str>,
}

/// `changes.list`.
pub(crate) struct FileChangesSince<'a> {
    pub(crate) position: &'a str,
}

/// `files.export` as a type, or `files.get` as it is.
pub(crate) struct FileContent<'a> {
    pub(crate) id: &'a str,
    pub(crate) as_type: Option<&'a str>,
    pub(crate) max_bytes: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StartAnswer {
    start_page_token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListAnswer {
    #[serde(default)]
    files: Vec<File>,
    next_page_token: Option<String>,
    #[serde(default)]
    incomplete_search: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChangesAnswer {
    #[serde(default)]
    changes: Vec<Change>,
    next_page_token: Option<String>,
    new_start_page_token: Option<String>,
}

/// A change of a shared drive names no file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    file_id: Option<String>,
    #[serde(default)]
    removed: bool,
    file: Option<File>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    mime_type: String,
    modified_time: Option<String>,
    md5_checksum: Option<String>,
    head_revision_id: Option<String>,
    version: Option<String>,
    size: Option<String>,
    #[serde(default)]
    trashed: bool,
    web_view_link: Option<String>,
}

impl Reading for StartPosition {
    type Answer = String;
    const API: Api = Api::Drive;
    const UNITS: u32 = 1;

    async fn read(&self, session: &Session<'_>) -> Result<String, Error> {
        let path = format!("{CHANGES}/startPageToken");
        let answer: StartAnswer = read(session.get(&session.config.apis, &path)).await?;
        Ok(answer.start_page_token)
    }
}

impl Reading for Files<'_> {
    type Answer = FilePage;
    const API: Api = Api::Drive;
    const UNITS: u32 = 1;

    async fn read(&self, session: &Session<'_>) -> Result<FilePage, Error> {
        let fields = format!("nextPageToken,incompleteSearch,files({FILE_FIELDS})");
        let request = session
            .get(&session.config.apis, FILES)
            .query(&[("q", "trashed = false"), ("spaces", "drive")])
            .query(&[("fields", &fields)])
            .query(&[("pageSize", PAGE)])
            .query(&OWN_FILES_ONLY)
            .query(&self.page.map(|token| [("pageToken", token)]));
        let answer: ListAnswer = read(request).await?;
        // What is missing would be taken for gone.
        if answer.incomplete_search {
            return Err(Unfinished.into());
        }
        let files = answer.files.into_iter().map(File::into_file);
        Ok(FilePage {
            files: files.collect::<Result<_, _>>()?,
            next_page: answer.next_page_token,
        })
    }
}

/// No files of shared drives: each of those has a list of changes of its own.
const OWN_FILES_ONLY: [(&str, bool); 2] = [
    ("supportsAllDrives", false),
    ("includeItemsFromAllDrives", false),
];

impl Reading for FileChangesSince<'_> {
    type Answer = Since<FileChanges>;
    const API: Api = Api::Drive;
    const UNITS: u32 = 1;

    /// Positions do not end by themselves (`changes.getStartPageToken`); but "if the token is rejected
    /// for any reason, it should be discarded" (`ChangeList.nextPageToken`).
    async fn read(&self, session: &Session<'_>) -> Result<Self::Answer, Error> {
        let fields =
            format!("nextPageToken,newStartPageToken,changes(fileId,removed,file({FILE_FIELDS}))");
        let request = session
            .get(&session.config.apis, CHANGES)
            .query(&[("pageToken", self.position), ("spaces", "drive")])
            .query(&[("fields", &fields)])
            .query(&[("pageSize", PAGE)])
            .query(&[("includeRemoved", true)])
            .query(&OWN_FILES_ONLY);
        match read::<ChangesAnswer>(request).await {
            Ok(answer) => answer.into_changes().map(Since::Known),
            Err(Error::Rejected {
                status: 400 | 404 | 410,
                ..
            }) => Ok(Since::Expired),
            Err(error) => Err(error),
        }
    }
}

impl ChangesAnswer {
    fn into_changes(self) -> Result<FileChanges, Error> {
        let next = match (self.next_page_token, self.new_start_page_token) {
            (Some(page), _) => NextFiles::Page(page),
            (None, Some(position)) => NextFiles::Position(position),
            (None, None) => return Err(Error::Malformed),
        };
        let changes = self.changes.into_iter().filter_map(Change::into_change);
        Ok(FileChanges {
            changes: changes.collect::<Result<_, _>>()?,
            next,
        })
    }
}

impl Change {
    fn into_change(self) -> Option<Result<FileChange, Error>> {
        let id = self.file_id?;
        let file = self.file.filter(|_| !self.removed);
        let file = file.map(File::into_file).transpose();
        Some(file.map(|file| FileChange { id, file }))
    }
}

impl File {
    fn into_file(self) -> Result<DriveFile, Error> {
        let revision = self.revision().ok_or(Error::Malformed)?;
        let modified_at = self.modified_time.and_then(|time| time.parse().ok());
        Ok(DriveFile {
            revision,
            id: self.id,
            name: self.name,
            mime_type: self.mime_type,
            modified_at: modified_at.map(|instant: jiff::Timestamp| instant.into()),
            size: self.size.and_then(|size| size.parse().ok()),
            is_trashed: self.trashed,
            link: self.web_view_link,
        })
    }

    /// The hash of the content, and the id of its revision, are there for files with content of their
    /// own, and change with it alone. Google's own formats have `version`, which grows with every change
    /// of the file "even those not visible to the user": it changes too often, but misses nothing, while
    /// any client can set `modifiedTime`
    /// (<https://developers.google.com/workspace/drive/api/reference/rest/v3/files>).
    fn revision(&self) -> Option<String> {
        let named = [
            ("md5", &self.md5_checksum),
            ("head", &self.head_revision_id),
            ("version", &self.version),
            ("modified", &self.modified_time),
        ];
        named
            .into_iter()
            .find_map(|(name, value)| Some(format!("{name}:{}", value.as_deref()?)))
    }
}

impl Reading for FileContent<'_> {
    type Answer = Option<Vec<u8>>;
    const API: Api = Api::Drive;
    const UNITS: u32 = 1;

    /// None as well for a file that cannot be read: it must not hold up the others.
    async fn read(&self, session: &Session<'_>) -> Result<Self::Answer, Error> {
        let path = format!("{FILES}/{}", segment("id", self.id)?);
        let request = match self.as_type {
            Some(mime_type) => session
                .get(&session.config.apis, &format!("{path}/export"))
                .query(&[("mimeType", mime_type)]),
            None => session
                .get(&session.config.apis, &path)
                .query(&[("alt", "media")]),
        };
        let answer = found(read_content(request, self.max_bytes).await)?;
        Ok(answer.flatten().map(|answer| answer.body.into()))
    }
}
