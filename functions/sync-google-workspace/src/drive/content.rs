use shared::vault::DriveFile;

use crate::{
    leg::Leg,
    stop::Stop,
    text::{self, MAX_FILE_BYTES, read_document},
};

/// What begins the types of Google's own files.
const NATIVE: &str = "application/vnd.google-apps.";

/// Larger files whose size nobody tells are asked for once more, when there is room for them.
const USUAL_BYTES: usize = 1 << 20;

/// What each byte of a file takes: as it comes, and as its text.
const ROOM_PER_BYTE: usize = 3;

/// What is in a file.
pub(super) enum Content {
    Text(String),
    /// Nothing that can be read.
    Never,
    /// Nobody has given it this time: it is looked at again whenever all are.
    NotNow,
}

/// Whether a file has content that is read.
pub(super) fn is_read(file: &DriveFile) -> bool {
    let is_known = match file.mime_type.starts_with(NATIVE) {
        true => exported_as(file).is_some(),
        false => text::is_read(&file.name, &file.mime_type),
    };
    is_known && file.size.unwrap_or(0) <= MAX_FILE_BYTES as u64
}

pub(super) async fn read(leg: &Leg<'_>, file: &DriveFile) -> Result<Content, Stop> {
    if !is_read(file) {
        return Ok(Content::Never);
    }
    let as_type = exported_as(file);
    // That of one of Google's own files is not what it is exported to.
    let known = file.size.filter(|_| as_type.is_none());
    let known = known.and_then(|size| usize::try_from(size).ok());
    let limits = known.map_or_else(|| vec![USUAL_BYTES, MAX_FILE_BYTES], |size| vec![size]);
    for limit in limits {
        let held = leg.app.readers.hold(limit * ROOM_PER_BYTE).await?;
        let workspace = &leg.app.workspace;
        let content = workspace.read_file(&leg.account, file, as_type, limit);
        let Some(content) = leg.ask(content).await? else {
            continue;
        };
        let name = file.name.clone();
        let mime_type = as_type.unwrap_or(&file.mime_type).to_owned();
        let read = leg.app.readers.read(move || {
            let text = read_document(&name, &mime_type, &content);
            drop(content);
            drop(held);
            text
        });
        return Ok(match read.await? {
            Some(Ok(text)) => Content::Text(text),
            Some(Err(_)) => Content::Never,
            None => Content::NotNow,
        });
    }
    Ok(Content::NotNow)
}

/// What a file of Google's own is read as
/// (<https://developers.google.com/workspace/drive/api/guides/ref-export-formats>).
fn exported_as(file: &DriveFile) -> Option<&'static str> {
    match file.mime_type.strip_prefix(NATIVE)? {
        "document" | "presentation" => Some("text/plain"),
        "spreadsheet" => Some("text/csv"),
        _ => None,
    }
}
