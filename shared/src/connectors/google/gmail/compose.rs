use mail_builder::MessageBuilder;
use serde::Deserialize;

use crate::connectors::{Error, input::refused, mail_address};

/// Longest value of a line of a header (RFC 5322, 2.1.1), with room for its name.
const MAX_VALUE_LEN: usize = 900;

/// A message to be sent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Mail {
    to: Vec<String>,
    #[serde(default)]
    cc: Vec<String>,
    subject: String,
    text: String,
    html: Option<String>,
    pub(super) thread_id: Option<String>,
    in_reply_to: Option<String>,
}

impl Mail {
    /// Whether each header is one line with what belongs there: what workflows put together from
    /// foreign data must not add another.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.to.is_empty() {
            return Err(refused("to", "has no address"));
        }
        mail_address::check_all("to", &self.to)?;
        mail_address::check_all("cc", &self.cc)?;
        if self.subject.contains(char::is_control) || self.subject.len() > MAX_VALUE_LEN {
            return Err(refused("subject", "is more than one line, or too long"));
        }
        match self.answered_id() {
            Some(id) if !is_message_id(id) => Err(refused("inReplyTo", "is no `Message-ID`")),
            _ => Ok(()),
        }
    }

    /// The message as RFC 5322 writes it. Gmail adds the sender.
    pub(super) fn write(&self, message_id: &str, now: jiff::Timestamp) -> Result<Vec<u8>, Error> {
        let mut message = MessageBuilder::new()
            .message_id(message_id)
            .date(now.as_second())
            .to(addresses(&self.to))
            .subject(self.subject.as_str())
            .text_body(self.text.as_str());
        if !self.cc.is_empty() {
            message = message.cc(addresses(&self.cc));
        }
        if let Some(html) = &self.html {
            message = message.html_body(html.as_str());
        }
        if let Some(id) = self.answered_id() {
            message = message.in_reply_to(id).references(id);
        }
        let written = message.write_to_vec();
        written.map_err(|_| refused("text", "cannot be written as a message"))
    }

    fn answered_id(&self) -> Option<&str> {
        let id = self.in_reply_to.as_deref()?.trim();
        let inner = id.strip_prefix('<').and_then(|id| id.strip_suffix('>'));
        Some(inner.unwrap_or(id))
    }
}

fn is_message_id(id: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'<' && byte != b'>';
    (1..=MAX_VALUE_LEN).contains(&id.len()) && id.bytes().all(is_allowed)
}

fn addresses(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn mail(field: &str, value: Value) -> Mail {
        let mut input = json!({ "to": ["ada@example.com"], "subject": "Hello", "text": "Hi." });
        input[field] = value;
        serde_json::from_value(input).unwrap()
    }

    fn written(mail: &Mail) -> String {
        let now = "2026-11-26T12:00:00Z".parse().unwrap();
        String::from_utf8(mail.write("id@host", now).unwrap()).unwrap()
    }

    #[test]
    fn no_value_ends_its_line() {
        for end in ["\r\nBcc: x@evil.example", "\nBcc: x", "\rx", "\0", "\u{b}x"] {
            let rows = [
                ("to", json!([format!("ada@example.com{end}")]), "to[0]"),
                ("to", json!([format!("a{end}@example.com")]), "to[0]"),
                (
                    "cc",
                    json!(["b@example.com", format!("a@b.example{end}")]),
                    "cc[1]",
                ),
                ("subject", json!(format!("Hello{end}")), "subject"),
                (
                    "inReplyTo",
                    json!(format!("<a{end}@b.example>")),
                    "inReplyTo",
                ),
            ];
            for (name, value, place) in rows {
                let error = mail(name, value).check().unwrap_err();
                let is_told = matches!(&error, Error::Input { field, .. } if field == place);
                assert!(is_told, "{name} {end:?}: {error}");
                assert!(!error.to_string().contains("evil"), "{error}");
            }
        }
    }

    #[test]
    fn a_mail_has_addressees() {
        assert!(mail("to", json!([])).check().is_err());
        mail("to", json!(["a+b@c.example"])).check().unwrap();
    }

    #[test]
    fn the_message_has_the_headers_of_the_rfc() {
        let text = written(&mail("inReplyTo", json!("<first@b.example>")));
        for line in [
            "Message-ID: <id@host>\r\n",
            "Date: Thu, 26 Nov 2026 12:00:00 +0000\r\n",
            "To: <ada@example.com>\r\n",
            "Subject: Hello\r\n",
            "In-Reply-To: <first@b.example>\r\n",
            "References: <first@b.example>\r\n",
            "MIME-Version: 1.0\r\n",
        ] {
            assert!(text.contains(line), "{line:?} is not in {text}");
        }
        assert!(!text.contains("From:"), "{text}");
    }

    #[test]
    fn a_body_may_be_html_as_well() {
        let text = written(&mail("html", json!("<p>Hi.</p>")));
        assert!(text.contains("multipart/alternative"), "{text}");
        let (plain, html) = (text.find("Hi.").unwrap(), text.find("<p>Hi.</p>").unwrap());
        assert!(plain < html);
    }

    #[test]
    fn other_scripts_are_encoded() {
        let text = written(&mail("subject", json!("Grüße 用户")));
        assert!(text.is_ascii(), "{text}");
        assert!(text.contains("Subject: =?utf-8?"), "{text}");
    }
}
