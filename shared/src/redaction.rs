//! Secrets do not belong into logs, nor into what models learn from, whoever writes them there: what
//! looks like one is covered.

use std::sync::LazyLock;

use regex::Regex;

/// What stands in the place of a secret.
const COVER: &str = "[redacted]";

/// How the services that people use begin or frame their secrets, as the rules of gitleaks know them
/// (<https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml>).
const SECRETS: &str = concat!(
    // OpenAI, Anthropic, Stripe, SendGrid.
    r"\bsk-[A-Za-z0-9_-]{16,}|\b[rs]k_(?:live|test)_[A-Za-z0-9]{10,}|\bwhsec_[A-Za-z0-9+/=]{16,}",
    r"|\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    // GitHub, Slack.
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}|\bxox[abprs]-[A-Za-z0-9-]{10,}",
    // Google API keys and access tokens, AWS keys.
    r"|\bAIza[A-Za-z0-9_-]{30,}|\bya29\.[A-Za-z0-9_.-]{20,}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    // JSON Web Tokens, bearer tokens, private keys, passwords in URLs.
    r"|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+",
    r"|(?i:\bbearer\s+[A-Za-z0-9_.~+/=-]{16,})",
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.)*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)",
    r"|(?i:\b[a-z][a-z0-9+.-]*://[^\s/:@]+:[^\s/@]+@)",
);

/// The text with all that looks like a secret covered.
#[must_use]
pub fn redact(text: &str) -> String {
    static PATTERN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(SECRETS).ok());
    match &*PATTERN {
        Some(pattern) => pattern.replace_all(text, COVER).into_owned(),
        None => COVER.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_covered_and_the_rest_stays() {
        let hex = "0123456789abcdef0123456789abcdef";
        for secret in [
            format!("sk-proj-{hex}"),
            format!("sk_live_{hex}"),
            format!("whsec_{hex}"),
            format!("SG.{hex}.{hex}"),
            format!("ghp_{hex}"),
            format!("github_pat_{hex}"),
            "xoxb-12345-67890-abcdef".to_owned(),
            format!("AIza{hex}"),
            format!("ya29.{hex}"),
            "AKIAIOSFODNN7EXAMPLE".to_owned(),
            format!("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.{hex}"),
            format!("Bearer {hex}"),
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----".to_owned(),
            "-----BEGIN PRIVATE KEY-----\ncut off".to_owned(),
            "postgres://user:password@".to_owned(),
        ] {
            let told = redact(&format!("before {secret} after"));
            assert!(told.starts_with("before [redacted]"), "{secret}: {told}");
            assert!(!told.contains(hex) && !told.contains("MIIE"), "{told}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "The task-force met at https://example.com/a:b, see sk-8.",
            "A bearer of good news",
            "eyJ is how tokens begin",
        ] {
            assert_eq!(redact(text), text);
        }
    }
}
