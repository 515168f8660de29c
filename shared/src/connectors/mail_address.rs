use super::{Error, input::refused};

/// Longest address, in bytes (RFC 5321, 4.5.3.1.3, without the angle brackets).
const MAX_LEN: usize = 254;

/// Refuses what is not one plain address: no name, no list, nothing that could end a line.
pub(super) fn check(field: &str, address: &str) -> Result<(), Error> {
    if is_address(address) {
        Ok(())
    } else {
        Err(refused(field, "is no address"))
    }
}

/// The same for each address of a list.
pub(super) fn check_all(field: &str, addresses: &[String]) -> Result<(), Error> {
    let mut addresses = addresses.iter().enumerate();
    addresses.try_for_each(|(index, address)| check(&format!("{field}[{index}]"), address))
}

fn is_address(text: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && !part.contains(is_special);
    let is_domain = |part: &str| is_part(part) && !part.starts_with('.') && !part.ends_with('.');
    text.len() <= MAX_LEN
        && text
            .rsplit_once('@')
            .is_some_and(|(local, domain)| is_part(local) && is_domain(domain))
}

fn is_special(c: char) -> bool {
    c.is_control() || c.is_whitespace() || "<>()[],;:\\\"@".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_plain_address_is_taken_and_nothing_else() {
        let [longest, longer] = [242, 243].map(|len| format!("{}@example.com", "a".repeat(len)));
        for text in ["a+b@c.example", "ä@b.example", &longest] {
            assert!(is_address(text), "{text}");
        }
        for text in [
            "Ada <a@b.example>",
            "a@b.example, c@d.example",
            "a@b@c.example",
            "a",
            "@b.example",
            "a@",
            "a@.b",
            "a@b.",
            "a@[127.0.0.1]",
            "a@b.example\r\nBcc: x",
            &longer,
        ] {
            assert!(!is_address(text), "{text}");
        }
    }
}
