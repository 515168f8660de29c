use secrecy::{ExposeSecret, SecretString};

/// Keys of fewer characters show nothing of themselves.
const LEAST_CHARS: usize = 20;

/// A key for people to tell it from others: what kind it is, and its last four characters.
pub(super) fn mask(key: &SecretString, prefixes: &[&str]) -> String {
    let key = key.expose_secret();
    let prefix = prefixes.iter().find(|prefix| key.starts_with(**prefix));
    let prefix = prefix.copied().unwrap_or_default();
    let secret: Vec<char> = key.chars().skip(prefix.chars().count()).collect();
    if secret.len() < LEAST_CHARS {
        return format!("{prefix}…");
    }
    let end: String = secret[secret.len() - 4..].iter().collect();
    format!("{prefix}…{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_shows_the_kind_of_a_key_and_its_end() {
        let rows = [
            ("sk_live_0123456789abcdefghij4242", "sk_live_…4242"),
            ("sk_live_short", "sk_live_…"),
            ("0123456789abcdefghijklmn", "…klmn"),
            ("short", "…"),
            ("", "…"),
        ];
        for (key, label) in rows {
            assert_eq!(mask(&key.into(), &["sk_test_", "sk_live_"]), label);
        }
    }
}
