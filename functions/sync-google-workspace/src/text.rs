//! Text of mails and files, and the chunks it is cut into.
//!
//! Nothing here reads a clock, a file or a network. What a stranger sends ends in a text or in
//! [`Unreadable`], within the limits named here, and never in a panic.

mod chunk;
mod document;
mod html;
mod mail;
mod office;
mod pdf;
mod quotes;

pub use chunk::{Chunks, MAX_CHUNKS, chunk};
pub use document::{Kind, is_read, read_document};
pub use mail::{AttachmentText, MailText, read_mail};

/// The largest file that is read, in bytes.
pub const MAX_FILE_BYTES: usize = 20 << 20;
/// The largest HTML that is read, in bytes.
pub const MAX_HTML_BYTES: usize = 8 << 20;
/// What the parts of one file may unpack to, in bytes.
pub const MAX_UNPACKED_BYTES: usize = 32 << 20;
/// The longest text of one mail or file, in characters.
pub const MAX_TEXT_CHARS: usize = 1_000_000;

/// Why something has no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// No reader knows the type.
    #[error("files of this type are not read")]
    UnknownType,
    /// It is not what it says it is, or not all of it is there.
    #[error("the {kind} is damaged")]
    Damaged { kind: Kind },
    /// It opens with a password only.
    #[error("the {kind} is locked with a password")]
    Locked { kind: Kind },
    /// It is larger than what is read.
    #[error("the {kind} is larger than {limit_bytes} bytes")]
    TooLarge { kind: Kind, limit_bytes: usize },
    /// Its parts unpack to more than what is read.
    #[error("the {kind} unpacks to more than {limit_bytes} bytes")]
    TooMuchUnpacked { kind: Kind, limit_bytes: usize },
    /// Its text is longer than what is kept.
    #[error("the text of the {kind} is longer than {limit_chars} characters")]
    TooMuchText { kind: Kind, limit_chars: usize },
    /// It has more parts, pages or attachments than are read.
    #[error("the {kind} has more than {limit} parts")]
    TooManyParts { kind: Kind, limit: usize },
    /// Its mails lie deeper in each other than is read.
    #[error("the {kind} is nested deeper than {limit} levels")]
    TooDeep { kind: Kind, limit: usize },
}

/// A text that grows up to its limit.
struct Output {
    kind: Kind,
    text: String,
    chars: usize,
}

impl Output {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            text: String::new(),
            chars: 0,
        }
    }

    fn push(&mut self, text: &str) -> Result<(), Unreadable> {
        self.chars += text.chars().count();
        if self.chars > MAX_TEXT_CHARS {
            return Err(Unreadable::TooMuchText {
                kind: self.kind,
                limit_chars: MAX_TEXT_CHARS,
            });
        }
        self.text.push_str(text);
        Ok(())
    }

    /// Ends the line, unless it is empty already.
    fn end_line(&mut self) -> Result<(), Unreadable> {
        if self.text.is_empty() || self.text.ends_with('\n') {
            return Ok(());
        }
        self.push("\n")
    }

    fn finish(self) -> String {
        tidy(&self.text)
    }
}

/// The text without control characters, trailing spaces and more than one empty line in a row.
fn tidy(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut tidied = String::with_capacity(text.len());
    let mut empty_lines = 0;
    for line in text.split('\n') {
        let line = line.trim_end();
        if line.is_empty() {
            empty_lines += 1;
            continue;
        }
        if !tidied.is_empty() {
            tidied.push_str(if empty_lines == 0 { "\n" } else { "\n\n" });
        }
        empty_lines = 0;
        tidied.extend(
            line.chars()
                .filter(|character| *character == '\t' || !character.is_control()),
        );
    }
    tidied
}

#[cfg(test)]
mod tests;
