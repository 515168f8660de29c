use std::{fmt, str::FromStr};

/// Longest address, in bytes (RFC 5321, 4.5.3.1.3, without the angle brackets).
const MAX_LEN: usize = 254;

/// A text that is no e-mail address.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("an e-mail address is `local@domain` with at most 254 characters and no spaces")]
pub struct InvalidAddress;

/// One e-mail address. It is personal data, so it does not show in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// Accepts one plain address: no display name, no list, nothing that could end a header line.
    ///
    /// # Errors
    /// Returns [`InvalidAddress`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidAddress)?;
        let forbidden =
            |c: char| c.is_control() || c.is_whitespace() || "<>()[],;:\\\"@".contains(c);
        let is_part = |part: &str| !part.is_empty() && !part.contains(forbidden);
        let is_domain = !domain.starts_with('.') && !domain.ends_with('.');
        if is_part(local) && is_part(domain) && is_domain && text.len() <= MAX_LEN {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidAddress)
        }
    }

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        Self::parse(text)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_address_is_accepted() {
        for text in ["ada@example.com", "ada+x@mail.example", "ä@example.com"] {
            assert_eq!(Address::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn an_address_that_could_add_a_header_or_recipient_is_refused() {
        let long = format!("{}@example.com", "a".repeat(250));
        for text in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@.com",
            "a@b@example.com",
            "ada@example.com\r\nBcc: eve@example.com",
            "ada\n@example.com",
            "ada\0@example.com",
            "ada@example.com, eve@example.com",
            "Ada <ada@example.com>",
            &long,
        ] {
            assert_eq!(Address::parse(text), Err(InvalidAddress), "{text:?}");
        }
    }

    #[test]
    fn an_address_does_not_show_in_debug_output() {
        let address = Address::parse("ada@example.com").unwrap();
        assert!(!format!("{address:?}").contains("ada"));
    }
}
