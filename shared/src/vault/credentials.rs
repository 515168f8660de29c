//! What is inside an envelope. Only this module writes secrets out.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    connectors::{Credentials, GithubApp, GoogleTokens, TwilioAccount},
    models::Timestamp,
};

/// More than credentials need: a buffer that grew would leave copies behind.
const CAPACITY: usize = 16 * 1024;

#[derive(Serialize)]
#[serde(
    tag = "kind",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
enum Written<'a> {
    Google {
        access_token: &'a str,
        expires_at: Timestamp,
        refresh_token: &'a str,
    },
    Key {
        key: &'a str,
    },
    GithubApp {
        app_id: &'a str,
        installation_id: u64,
        private_key: &'a str,
    },
    Twilio {
        account_sid: &'a str,
        key_sid: &'a str,
        secret: &'a str,
    },
}

#[derive(Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
enum Read {
    Google {
        access_token: SecretString,
        expires_at: Timestamp,
        refresh_token: SecretString,
    },
    Key {
        key: SecretString,
    },
    GithubApp {
        app_id: String,
        installation_id: u64,
        private_key: SecretString,
    },
    Twilio {
        account_sid: String,
        key_sid: String,
        secret: SecretString,
    },
}

/// The text to seal.
pub(super) fn write(credentials: &Credentials) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
    let written = match credentials {
        Credentials::Google(tokens) => Written::Google {
            access_token: tokens.access_token.expose_secret(),
            expires_at: tokens.expires_at,
            refresh_token: tokens.refresh_token.expose_secret(),
        },
        Credentials::Key(key) => Written::Key {
            key: key.expose_secret(),
        },
        Credentials::GithubApp(app) => Written::GithubApp {
            app_id: &app.app_id,
            installation_id: app.installation_id,
            private_key: app.private_key.expose_secret(),
        },
        Credentials::Twilio(account) => Written::Twilio {
            account_sid: &account.account_sid,
            key_sid: &account.key_sid,
            secret: account.secret.expose_secret(),
        },
    };
    let mut text = Zeroizing::new(Vec::with_capacity(CAPACITY));
    serde_json::to_writer(&mut *text, &written)?;
    Ok(text)
}

/// The credentials in a text that was opened; none when it is not what [`write`] writes.
pub(super) fn read(text: &[u8]) -> Option<Credentials> {
    // The parser's error could quote a secret.
    let read: Read = serde_json::from_slice(text).ok()?;
    Some(match read {
        Read::Google {
            access_token,
            expires_at,
            refresh_token,
        } => Credentials::Google(GoogleTokens {
            access_token,
            expires_at,
            refresh_token,
        }),
        Read::Key { key } => Credentials::Key(key),
        Read::GithubApp {
            app_id,
            installation_id,
            private_key,
        } => Credentials::GithubApp(GithubApp {
            app_id,
            installation_id,
            private_key,
        }),
        Read::Twilio {
            account_sid,
            key_sid,
            secret,
        } => Credentials::Twilio(TwilioAccount {
            account_sid,
            key_sid,
            secret,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> [Credentials; 4] {
        [
            Credentials::Google(GoogleTokens {
                access_token: "a\"1".into(),
                expires_at: jiff::Timestamp::UNIX_EPOCH.into(),
                refresh_token: "r".into(),
            }),
            Credentials::Key("k\u{1F511}".into()),
            Credentials::GithubApp(GithubApp {
                app_id: "Iv1".to_owned(),
                installation_id: u64::MAX,
                private_key: "-----BEGIN\n".into(),
            }),
            Credentials::Twilio(TwilioAccount {
                account_sid: "AC1".to_owned(),
                key_sid: "SK1".to_owned(),
                secret: "s".into(),
            }),
        ]
    }

    #[test]
    fn what_is_written_is_read_again() {
        for credentials in all() {
            let text = write(&credentials).unwrap();
            let read = read(&text).unwrap();
            assert_eq!(write(&read).unwrap(), text);
        }
    }

    #[test]
    fn what_was_not_written_here_is_not_read() {
        for text in ["", "{}", r#"{"kind":"key"}"#, r#"{"kind":"x","key":"k"}"#] {
            assert!(read(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn no_secret_is_shown() {
        for credentials in all() {
            let shown = format!("{credentials:?}");
            for secret in ["a\\\"1", "\"r\"", "\u{1F511}", "BEGIN", "\"s\""] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
    }
}
