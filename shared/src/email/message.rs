use std::fmt;

use super::Address;

/// Longest subject, in characters: one header line (RFC 5322, 2.1.1).
const MAX_SUBJECT_CHARS: usize = 250;

/// An e-mail that cannot be sent as it is.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidEmail {
    /// The subject is empty, long, or has control characters such as line breaks.
    #[error("a subject has 1 to 250 characters and no control characters")]
    Subject,
    /// There is nothing to read.
    #[error("an e-mail needs a text and an HTML part")]
    Body,
    /// The idempotency key is empty, or not plain ASCII.
    #[error("an idempotency key is printable ASCII")]
    IdempotencyKey,
}

/// An e-mail to one recipient. Its content is personal, so it does not show in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Email {
    to: Address,
    subject: String,
    text: String,
    html: String,
    idempotency_key: String,
}

impl Email {
    /// An e-mail whose header values cannot break out of their line.
    ///
    /// # Errors
    /// Returns what is wrong with it.
    pub fn new(
        to: Address,
        subject: impl Into<String>,
        text: impl Into<String>,
        html: impl Into<String>,
        idempotency_key: impl Into<String>,
    ) -> Result<Self, InvalidEmail> {
        let email = Self {
            to,
            subject: subject.into(),
            text: text.into(),
            html: html.into(),
            idempotency_key: idempotency_key.into(),
        };
        let subject_chars = email.subject.chars().count();
        if !(1..=MAX_SUBJECT_CHARS).contains(&subject_chars)
            || email.subject.contains(char::is_control)
        {
            return Err(InvalidEmail::Subject);
        }
        if email.text.is_empty() || email.html.is_empty() {
            return Err(InvalidEmail::Body);
        }
        let key = email.idempotency_key.as_str();
        if key.is_empty() || !key.chars().all(|c| c.is_ascii_graphic()) {
            return Err(InvalidEmail::IdempotencyKey);
        }
        Ok(email)
    }

    /// The recipient.
    #[must_use]
    pub fn to(&self) -> &Address {
        &self.to
    }

    /// The subject.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The plain text part.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The HTML part.
    #[must_use]
    pub fn html(&self) -> &str {
        &self.html
    }

    /// Equal for repeats of the same mail.
    #[must_use]
    pub fn idempotency_key(&self) -> &str {
        &self.idempotency_key
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Email");
        debug.field("idempotency_key", &self.idempotency_key);
        debug.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(subject: &str, key: &str) -> Result<Email, InvalidEmail> {
        let to = Address::parse("ada@example.com").unwrap();
        Email::new(to, subject, "text", "<p>html</p>", key)
    }

    #[test]
    fn a_subject_with_a_line_break_or_nul_is_refused() {
        for subject in [
            "a\r\nBcc: eve@example.com",
            "a\nb",
            "a\rb",
            "a\0b",
            "",
            &"x".repeat(251),
        ] {
            assert_eq!(
                email(subject, "k"),
                Err(InvalidEmail::Subject),
                "{subject:?}"
            );
        }
    }

    #[test]
    fn a_key_that_could_break_a_header_is_refused() {
        for key in ["", "a b", "a\r\nb", "ä"] {
            assert_eq!(
                email("s", key),
                Err(InvalidEmail::IdempotencyKey),
                "{key:?}"
            );
        }
    }

    #[test]
    fn content_does_not_show_in_debug_output() {
        let shown = format!("{:?}", email("private", "k").unwrap());
        assert!(
            !shown.contains("private") && !shown.contains("ada"),
            "{shown}"
        );
    }
}
