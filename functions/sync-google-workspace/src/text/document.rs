use std::{
    borrow::Cow,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use encoding_rs::{Encoding, WINDOWS_1252};

use super::{MAX_FILE_BYTES, MAX_HTML_BYTES, Output, Unreadable, html, office, pdf};

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Mail,
    Text,
    Html,
    Pdf,
    Document,
    Spreadsheet,
    Presentation,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Mail => "mail",
            Self::Text => "text file",
            Self::Html => "HTML file",
            Self::Pdf => "PDF",
            Self::Document => "document",
            Self::Spreadsheet => "spreadsheet",
            Self::Presentation => "presentation",
        })
    }
}

impl Kind {
    /// The kind that the type says, or the name where the type says nothing.
    fn of(name: &str, mime_type: &str) -> Option<Self> {
        let essence = mime_type.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "text/html" | "application/xhtml+xml" => Some(Self::Html),
            "text/rtf" => None,
            "application/json" | "application/xml" | "application/x-yaml" | "application/csv" => {
                Some(Self::Text)
            }
            "application/pdf" | "application/x-pdf" => Some(Self::Pdf),
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
            | "application/vnd.ms-word.document.macroenabled.12" => Some(Self::Document),
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
            | "application/vnd.ms-excel.sheet.macroenabled.12" => Some(Self::Spreadsheet),
            "application/vnd.openxmlformats-officedocument.presentationml.presentation"
            | "application/vnd.ms-powerpoint.presentation.macroenabled.12" => {
                Some(Self::Presentation)
            }
            "" | "application/octet-stream" | "application/zip" | "binary/octet-stream" => {
                Self::of_name(name)
            }
            essence => essence.starts_with("text/").then_some(Self::Text),
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit_once('.')?;
        match extension.to_ascii_lowercase().as_str() {
            "txt" | "md" | "csv" | "tsv" | "log" | "json" | "xml" | "yaml" | "yml" | "ics" => {
                Some(Self::Text)
            }
            "html" | "htm" | "xhtml" => Some(Self::Html),
            "pdf" => Some(Self::Pdf),
            "docx" | "docm" => Some(Self::Document),
            "xlsx" | "xlsm" => Some(Self::Spreadsheet),
            "pptx" | "pptm" => Some(Self::Presentation),
            _ => None,
        }
    }

    pub(super) fn check_size(self, bytes: usize) -> Result<(), Unreadable> {
        let limit_bytes = match self {
            Self::Html => MAX_HTML_BYTES,
            _ => MAX_FILE_BYTES,
        };
        if bytes > limit_bytes {
            return Err(Unreadable::TooLarge {
                kind: self,
                limit_bytes,
            });
        }
        Ok(())
    }
}

/// Whether a reader knows files of this name and type.
#[must_use]
pub fn is_read(name: &str, mime_type: &str) -> bool {
    Kind::of(name, mime_type).is_some()
}

/// The text of a file.
///
/// # Errors
/// Returns [`Unreadable`] for a type that is not read, a damaged or locked file, or one beyond the
/// limits.
pub fn read_document(name: &str, mime_type: &str, bytes: &[u8]) -> Result<String, Unreadable> {
    let kind = Kind::of(name, mime_type).ok_or(Unreadable::UnknownType)?;
    kind.check_size(bytes.len())?;
    // The libraries mean not to panic; one hostile file must not stop the sync of all others.
    catch_unwind(AssertUnwindSafe(|| read(kind, mime_type, bytes)))
        .unwrap_or(Err(Unreadable::Damaged { kind }))
}

fn read(kind: Kind, mime_type: &str, bytes: &[u8]) -> Result<String, Unreadable> {
    match kind {
        Kind::Html => html::read(&decode(bytes, html_charset(mime_type, bytes))),
        Kind::Pdf => pdf::read(bytes),
        Kind::Document => office::read_words(bytes),
        Kind::Spreadsheet => office::read_sheets(bytes),
        Kind::Presentation => office::read_slides(bytes),
        Kind::Text | Kind::Mail => plain(kind, &decode(bytes, charset(mime_type))),
    }
}

/// The text as it is, unless it is none.
pub(super) fn plain(kind: Kind, text: &str) -> Result<String, Unreadable> {
    if text.contains('\0') {
        return Err(Unreadable::Damaged { kind });
    }
    let mut output = Output::new(kind);
    output.push(text)?;
    Ok(output.finish())
}

/// The text of bytes: by their mark, as UTF-8, as what they are said to be, else as Windows-1252.
pub(super) fn decode<'a>(bytes: &'a [u8], charset: Option<&str>) -> Cow<'a, str> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(&bytes[mark..]).0;
    }
    if let Ok(text) = str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let said = charset.and_then(|label| Encoding::for_label(label.as_bytes()));
    said.unwrap_or(WINDOWS_1252)
        .decode_without_bom_handling(bytes)
        .0
}

/// The `charset` of a content type, or of the `<meta>` that repeats one.
fn charset(text: &str) -> Option<&str> {
    let at = text.to_ascii_lowercase().find("charset=")?;
    let value = text[at + "charset=".len()..].trim_start_matches(['"', '\'', ' ']);
    let end = value.find(['"', '\'', ';', '>', ' ', '/']);
    Some(&value[..end.unwrap_or(value.len())])
}

fn html_charset<'a>(mime_type: &'a str, bytes: &'a [u8]) -> Option<&'a str> {
    // https://html.spec.whatwg.org/multipage/semantics.html#charset: within the first 1,024 bytes.
    let head = &bytes[..bytes.len().min(1_024)];
    charset(mime_type).or_else(|| {
        let end = str::from_utf8(head).map_or_else(|error| error.valid_up_to(), str::len);
        charset(str::from_utf8(&head[..end]).ok()?)
    })
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use tests::read_unguarded;
