use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::Timestamp;
use mail_parser::{Address, Message, MessageParser, MessagePart, MimeHeaders, PartType};

use super::{
    Kind, Output, Unreadable,
    document::{plain, read_document},
    html, quotes,
};

/// The largest mail that is read, in bytes: twice what Gmail lets anyone send.
const MAX_MAIL_BYTES: usize = 50 << 20;
/// The most MIME parts of a mail.
const MAX_PARTS: usize = 1_000;
/// The most attachments that are read.
const MAX_ATTACHMENTS: usize = 32;
/// How deep mails may lie in each other.
const MAX_DEPTH: usize = 8;

/// What a mail says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailText {
    pub message_id: Option<String>,
    pub subject: String,
    /// The name and address of who wrote it.
    pub from: String,
    /// Whom it was sent to, copies included.
    pub to: Vec<String>,
    pub date: Option<Timestamp>,
    /// What was written, without quoted replies and signature.
    pub text: String,
    pub attachments: Vec<AttachmentText>,
}

/// What a file in a mail says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachmentText {
    pub name: String,
    pub mime_type: String,
    pub bytes: u64,
    pub text: Result<String, Unreadable>,
}

/// The text of a mail as it was sent (RFC 5322).
///
/// # Errors
/// Returns [`Unreadable`] for what is no mail, or one beyond the limits. An attachment that cannot
/// be read is named with its own reason.
pub fn read_mail(raw: &[u8]) -> Result<MailText, Unreadable> {
    // As in `read_document`: one hostile mail must not stop the sync of all others.
    catch_unwind(AssertUnwindSafe(|| read(raw)))
        .unwrap_or(Err(Unreadable::Damaged { kind: Kind::Mail }))
}

fn read(raw: &[u8]) -> Result<MailText, Unreadable> {
    let kind = Kind::Mail;
    if raw.len() > MAX_MAIL_BYTES {
        return Err(Unreadable::TooLarge {
            kind,
            limit_bytes: MAX_MAIL_BYTES,
        });
    }
    // The parser has no limits of its own.
    check_markers(raw)?;
    let message = MessageParser::default().parse(raw);
    Reading::default().read(&message.ok_or(Unreadable::Damaged { kind })?, 0)
}

/// Refuses what would have too many parts or mails in mails, before either is parsed.
fn check_markers(raw: &[u8]) -> Result<(), Unreadable> {
    let kind = Kind::Mail;
    if count(raw, b"message/rfc822") > MAX_PARTS || count(raw, b"content-type:") > 2 * MAX_PARTS {
        return Err(Unreadable::TooManyParts {
            kind,
            limit: MAX_PARTS,
        });
    }
    Ok(())
}

fn count(raw: &[u8], marker: &[u8]) -> usize {
    raw.windows(marker.len())
        .filter(|window| window.eq_ignore_ascii_case(marker))
        .count()
}

#[derive(Default)]
struct Reading {
    parts: usize,
    attachments: usize,
}

impl Reading {
    fn read(&mut self, message: &Message<'_>, depth: usize) -> Result<MailText, Unreadable> {
        let kind = Kind::Mail;
        if depth > MAX_DEPTH {
            return Err(Unreadable::TooDeep {
                kind,
                limit: MAX_DEPTH,
            });
        }
        self.parts += message.parts.len();
        if self.parts > MAX_PARTS {
            return Err(Unreadable::TooManyParts {
                kind,
                limit: MAX_PARTS,
            });
        }
        let subject = message.subject().unwrap_or_default().trim().to_owned();
        let text = quotes::trim(&body(message)?, &subject);
        Ok(MailText {
            message_id: message.message_id().map(str::to_owned),
            from: people(message.from())
                .into_iter()
                .next()
                .unwrap_or_default(),
            to: [message.to(), message.cc()].map(people).concat(),
            date: message.date().and_then(|date| {
                let date = date.is_valid().then(|| date.to_timestamp())?;
                Timestamp::from_second(date).ok()
            }),
            attachments: self.attachments(message, depth),
            subject,
            text,
        })
    }

    fn attachments(&mut self, message: &Message<'_>, depth: usize) -> Vec<AttachmentText> {
        let mut attachments = Vec::new();
        for part in message.attachments() {
            let mime_type = mime_type(part);
            let name = part.attachment_name().unwrap_or_default().to_owned();
            self.attachments += 1;
            let text = if self.attachments > MAX_ATTACHMENTS {
                Err(Unreadable::TooManyParts {
                    kind: Kind::Mail,
                    limit: MAX_ATTACHMENTS,
                })
            } else {
                self.attachment(part, &name, &mime_type, depth)
            };
            attachments.push(AttachmentText {
                name,
                mime_type,
                bytes: bytes(part),
                text,
            });
        }
        attachments
    }

    fn attachment(
        &mut self,
        part: &MessagePart<'_>,
        name: &str,
        mime_type: &str,
        depth: usize,
    ) -> Result<String, Unreadable> {
        match &part.body {
            PartType::Message(message) => whole(&self.read(message, depth + 1)?),
            PartType::Html(html) => {
                Kind::Html.check_size(html.len())?;
                html::read(html)
            }
            PartType::Text(text) if mime_type == "text/plain" => {
                Kind::Text.check_size(text.len())?;
                plain(Kind::Text, text)
            }
            PartType::Text(text) => read_document(name, mime_type, text.as_bytes()),
            PartType::Binary(bytes) | PartType::InlineBinary(bytes) => {
                read_document(name, mime_type, bytes)
            }
            PartType::Multipart(_) => Err(Unreadable::UnknownType),
        }
    }
}

/// What was written, in the plain form where there is one that says something.
fn body(message: &Message<'_>) -> Result<String, Unreadable> {
    let text = join(message.text_bodies())?;
    if text.is_empty() {
        return join(message.html_bodies());
    }
    Ok(text)
}

fn join<'a>(parts: impl Iterator<Item = &'a MessagePart<'a>>) -> Result<String, Unreadable> {
    let mut output = Output::new(Kind::Mail);
    for part in parts {
        let text = match &part.body {
            PartType::Text(text) => text.to_string(),
            PartType::Html(html) => {
                Kind::Html.check_size(html.len())?;
                html::read(html)?
            }
            _ => continue,
        };
        output.end_line()?;
        output.push(&text)?;
    }
    // Some programs end a mail with a NUL; elsewhere it is as meaningless.
    Ok(output.finish())
}

/// An attached mail as one text, its own files included.
fn whole(mail: &MailText) -> Result<String, Unreadable> {
    let mut output = Output::new(Kind::Mail);
    let to = mail.to.join(", ");
    for (label, value) in [
        ("From", &mail.from),
        ("To", &to),
        ("Subject", &mail.subject),
    ] {
        if !value.is_empty() {
            output.push(&format!("{label}: {value}\n"))?;
        }
    }
    output.push("\n")?;
    output.push(&mail.text)?;
    for attachment in &mail.attachments {
        output.push(&format!("\n\n{}", attachment.name))?;
        if let Ok(text) = &attachment.text {
            output.push("\n")?;
            output.push(text)?;
        }
    }
    Ok(output.finish())
}

fn people(address: Option<&Address<'_>>) -> Vec<String> {
    let people = address.into_iter().flat_map(Address::iter);
    let people = people.filter_map(|person| match (person.name(), person.address()) {
        (Some(name), Some(address)) => Some(format!("{name} <{address}>")),
        (name, address) => name.or(address).map(str::to_owned),
    });
    people.collect()
}

fn mime_type(part: &MessagePart<'_>) -> String {
    let Some(content_type) = part.content_type() else {
        return match part.body {
            PartType::Text(_) => "text/plain".to_owned(),
            _ => String::new(),
        };
    };
    let subtype = content_type.subtype().unwrap_or_default();
    format!("{}/{subtype}", content_type.ctype()).to_ascii_lowercase()
}

fn bytes(part: &MessagePart<'_>) -> u64 {
    match &part.body {
        PartType::Message(message) => message.raw_message().len() as u64,
        _ => part.contents().len() as u64,
    }
}

#[cfg(test)]
pub(super) mod tests;
