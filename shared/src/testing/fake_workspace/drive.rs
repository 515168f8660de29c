//! One Drive and its list of changes
//! (<https://developers.google.com/workspace/drive/api/guides/manage-changes>).

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    account::Seen,
    fields,
    gmail::is_hollow,
    server::{Answer, Refusal},
    weather::Sky,
};
use crate::testing::discovery::Call;

/// What Google's own formats begin with.
const GOOGLE: &str = "application/vnd.google-apps.";

/// What can be exported as what.
const EXPORTS: [(&str, &[&str]); 3] = [
    ("document", &["text/plain", "text/markdown"]),
    ("spreadsheet", &["text/csv", "text/tab-separated-values"]),
    ("presentation", &["text/plain"]),
];

/// Larger exports are refused (`files.export`).
const MAX_EXPORT_BYTES: usize = 10 * 1024 * 1024;

/// What is told of a file unless `fields` asks for something.
const DEFAULT_FIELDS: &str = "kind,id,name,mimeType";

#[derive(Default)]
pub(super) struct Drive {
    /// By their number, those of which there was any.
    files: BTreeMap<u64, File>,
    created: u64,
    /// The number of the file at each change: a later change of a file takes the place of an earlier
    /// one.
    changes: BTreeMap<u64, u64>,
    changed: u64,
}

pub(super) struct File {
    id: String,
    pub(super) name: String,
    mime_type: String,
    pub(super) content: Vec<u8>,
    pub(super) folder_id: String,
    pub(super) is_trashed: bool,
    pub(super) is_shared: bool,
    pub(super) hides_size: bool,
    is_deleted: bool,
    version: u64,
    /// Seconds.
    modified_at: i64,
}

/// What happens in it.
impl Drive {
    pub(super) fn create(
        &mut self,
        name: &str,
        mime_type: &str,
        content: Vec<u8>,
        second: i64,
    ) -> String {
        self.created += 1;
        let id = format!("f{}", self.created);
        let file = File {
            id: id.clone(),
            name: name.to_owned(),
            mime_type: mime_type.to_owned(),
            content,
            folder_id: "root".to_owned(),
            is_trashed: false,
            is_shared: true,
            hides_size: false,
            is_deleted: false,
            version: 1,
            modified_at: second,
        };
        self.files.insert(self.created, file);
        self.note(self.created);
        id
    }

    /// Only content and name change the time of the last change; everything changes the version.
    pub(super) fn change(&mut self, id: &str, second: i64, change: impl FnOnce(&mut File)) {
        let number = self.number(id);
        let file = self.files.get_mut(&number).unwrap();
        assert!(!file.is_deleted, "{id} is gone");
        let before = (file.name.clone(), file.content.clone());
        change(file);
        file.version += 1;
        if before != (file.name.clone(), file.content.clone()) {
            file.modified_at = second;
        }
        self.note(number);
    }

    pub(super) fn delete(&mut self, id: &str) {
        let number = self.number(id);
        self.files.get_mut(&number).unwrap().is_deleted = true;
        self.note(number);
    }

    fn note(&mut self, number: u64) {
        self.changes.retain(|_, changed| *changed != number);
        self.changed += 1;
        self.changes.insert(self.changed, number);
    }

    fn number(&self, id: &str) -> u64 {
        let mut files = self.files.iter();
        *files.find(|(_, file)| file.id == id).unwrap().0
    }
}

/// What is seen of it.
impl Drive {
    pub(super) fn shown(&self) -> BTreeMap<String, Seen> {
        let shown = self.files.values().filter(|file| self.lists(file));
        let shown = shown.map(|file| {
            let seen = Seen {
                title: file.name.clone(),
                text: String::from_utf8_lossy(&file.content).into_owned(),
            };
            (file.id.clone(), seen)
        });
        shown.collect()
    }
}

/// What is in a folder goes and comes with it, without a change of its own.
impl Drive {
    fn reaches(&self, file: &File) -> bool {
        file.is_in_reach() && self.folders(file).all(File::is_in_reach)
    }

    fn bins(&self, file: &File) -> bool {
        file.is_trashed || self.folders(file).any(|folder| folder.is_trashed)
    }

    fn lists(&self, file: &File) -> bool {
        self.reaches(file) && !self.bins(file)
    }

    /// The folders that a file is in, as far as there are any.
    fn folders<'a>(&'a self, file: &'a File) -> impl Iterator<Item = &'a File> {
        let above = |file: &&'a File| {
            let mut files = self.files.values();
            files.find(|other| other.id == file.folder_id)
        };
        std::iter::successors(Some(file), above).skip(1)
    }

    fn told(&self, file: &File) -> Value {
        let mut told = file.to_json();
        told["trashed"] = json!(self.bins(file));
        told
    }

    fn change_of(&self, file: &File) -> Value {
        let mut change = json!({
            "kind": "drive#change",
            "changeType": "file",
            "fileId": file.id,
            "removed": !self.reaches(file),
        });
        if self.reaches(file) {
            change["file"] = self.told(file);
        }
        change
    }
}

/// The API.
impl Drive {
    pub(super) fn start_page_token(&self) -> Answer {
        Answer::Json(json!({ "startPageToken": (self.changed + 1).to_string() }))
    }

    pub(super) fn list_changes(&self, call: &Call, sky: &mut Sky) -> Result<Answer, Refusal> {
        let token = call.parameter("pageToken").unwrap_or_default();
        let invalid = Refusal(400, "invalid");
        let from: u64 = token
            .trim_end_matches('~')
            .parse()
            .map_err(|_| invalid.clone())?;
        if from == 0 || from > self.changed + 1 {
            return Err(invalid);
        }
        let mut found = self.changes.range(from..).peekable();
        let mut answer = json!({ "kind": "drive#changeList", "changes": [] });
        if found.peek().is_some() && is_hollow(Some(token), sky) {
            answer["nextPageToken"] = json!(format!("{from}~"));
            return Ok(masked(call, &answer));
        }
        let most = sky.page(page_size(call));
        let page: Vec<_> = found.by_ref().take(most).collect();
        match (page.last(), found.peek()) {
            (Some((last, _)), Some(_)) => answer["nextPageToken"] = json!((*last + 1).to_string()),
            _ => answer["newStartPageToken"] = json!((self.changed + 1).to_string()),
        }
        let with_removed = call.parameter("includeRemoved") != Some("false");
        let changes = page.into_iter().map(|(_, number)| &self.files[number]);
        let changes = changes.filter(|file| with_removed || self.reaches(file));
        answer["changes"] = changes.map(|file| self.change_of(file)).collect();
        Ok(masked(call, &answer))
    }

    /// In the order in which they were made.
    pub(super) fn list(&self, call: &Call, sky: &mut Sky) -> Result<Answer, Refusal> {
        let with_bin = match call.parameter("q") {
            None => true,
            Some("trashed = false") => false,
            Some(_) => return Err(Refusal(400, "invalid")),
        };
        let token = call.parameter("pageToken");
        let after: u64 = token.map_or(0, |token| token.trim_end_matches('~').parse().unwrap());
        let later = self.files.range(after + 1..);
        let mut found = later
            .filter(|(_, file)| self.lists(file) || (with_bin && self.reaches(file)))
            .peekable();
        let mut answer =
            json!({ "kind": "drive#fileList", "files": [], "incompleteSearch": false });
        if found.peek().is_some() && is_hollow(token, sky) {
            answer["nextPageToken"] = json!(format!("{after}~"));
            return Ok(masked(call, &answer));
        }
        let page: Vec<_> = found.by_ref().take(sky.page(page_size(call))).collect();
        if let (Some((last, _)), Some(_)) = (page.last(), found.peek()) {
            answer["nextPageToken"] = json!(last.to_string());
        }
        answer["files"] = page.into_iter().map(|(_, file)| self.told(file)).collect();
        Ok(masked(call, &answer))
    }

    pub(super) fn get(&self, call: &Call) -> Result<Answer, Refusal> {
        let file = self.find(call)?;
        if call.parameter("alt") != Some("media") {
            return Ok(masked(call, &self.told(file)));
        }
        match file.is_google() {
            true => Err(Refusal(403, "fileNotDownloadable")),
            false => Ok(Answer::Bytes(file.content.clone())),
        }
    }

    pub(super) fn export(&self, call: &Call) -> Result<Answer, Refusal> {
        let file = self.find(call)?;
        let kind = file.mime_type.strip_prefix(GOOGLE);
        let kind = kind.ok_or(Refusal(403, "fileNotExportable"))?;
        let mut exports = EXPORTS.iter().filter(|(name, _)| *name == kind);
        let types = exports.next().map_or(&[][..], |(_, types)| types);
        let wanted = call.parameter("mimeType").unwrap_or_default();
        if !types.contains(&wanted) {
            return Err(Refusal(400, "badRequest"));
        }
        match file.content.len() > MAX_EXPORT_BYTES {
            true => Err(Refusal(403, "exportSizeLimitExceeded")),
            false => Ok(Answer::Bytes(file.content.clone())),
        }
    }

    fn find(&self, call: &Call) -> Result<&File, Refusal> {
        let id = call.parameter("fileId");
        let mut files = self.files.values().filter(|file| self.reaches(file));
        let file = files.find(|file| Some(file.id.as_str()) == id);
        file.ok_or(Refusal(404, "notFound"))
    }
}

impl File {
    fn is_google(&self) -> bool {
        self.mime_type.starts_with(GOOGLE)
    }

    fn is_in_reach(&self) -> bool {
        self.is_shared && !self.is_deleted
    }

    fn to_json(&self) -> Value {
        let modified_at = jiff::Timestamp::from_second(self.modified_at).unwrap();
        let mut file = json!({
            "kind": "drive#file",
            "id": self.id,
            "name": self.name,
            "mimeType": self.mime_type,
            "modifiedTime": modified_at.to_string(),
            "version": self.version.to_string(),
            "trashed": self.is_trashed,
            "parents": [self.folder_id],
            "webViewLink": format!("https://drive.example.com/{}", self.id),
        });
        if !self.is_google() {
            let hash = hex::encode(Sha256::digest(&self.content));
            file["md5Checksum"] = json!(hash[..32]);
            file["headRevisionId"] = json!(hash[32..]);
            if !self.hides_size {
                file["size"] = json!(self.content.len().to_string());
            }
        }
        file
    }
}

fn page_size(call: &Call) -> usize {
    call.parameter("pageSize").unwrap_or("100").parse().unwrap()
}

/// What was asked for of an answer.
fn masked(call: &Call, answer: &Value) -> Answer {
    let mask = match call.parameter("fields") {
        Some(mask) => mask.to_owned(),
        None if answer["changes"].is_array() => format!(
            "kind,nextPageToken,newStartPageToken,changes(kind,removed,fileId,changeType,file({DEFAULT_FIELDS}))"
        ),
        None if answer["files"].is_array() => {
            format!("kind,nextPageToken,incompleteSearch,files({DEFAULT_FIELDS})")
        }
        None => DEFAULT_FIELDS.to_owned(),
    };
    Answer::Json(fields::select(&mask, answer))
}
