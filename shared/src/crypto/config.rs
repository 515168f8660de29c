use std::{path::PathBuf, sync::Arc};

use secrecy::SecretString;

use super::{CloudKmsEncryption, CloudKmsMac, EncryptionKey, LocalKeys, LocalMac, MacKey};
use crate::config::{Env, Error};

const KMS_KEY: &str = "KMS_MAC_KEY";
const LOCAL_KEY: &str = "LOCAL_MAC_KEY";
const KMS_CREDENTIALS: &str = "KMS_CREDENTIALS_KEY";
const LOCAL_CREDENTIALS: &str = "LOCAL_CREDENTIALS_KEY_FILE";

/// Which key authenticates the audit trail and makes invitation tokens.
#[derive(Clone, Debug)]
pub enum MacConfig {
    /// `KMS_MAC_KEY`: `projects/…/cryptoKeys/…/cryptoKeyVersions/…` of Cloud KMS, with the
    /// algorithm `HMAC_SHA256`.
    CloudKms(String),
    /// `LOCAL_MAC_KEY`: the key itself; development only.
    Local(SecretString),
}

impl MacConfig {
    /// Reads the variables. Both together are refused: which one counts would be a guess.
    ///
    /// # Errors
    /// Returns the variable that is missing, invalid, or not allowed on Cloud Run.
    pub fn load(env: &Env) -> Result<Self, Error> {
        let local = env.development_only(LOCAL_KEY)?;
        match (env.optional(KMS_KEY), local) {
            (Some(name), None) if is_resource(name, &KEY_VERSION) => Ok(Self::CloudKms(name.to_owned())),
            (None, Some(key)) => Ok(Self::Local(key.into())),
            (None, None) => Err(Error::Missing(KMS_KEY)),
            (Some(_), local) => Err(Error::Invalid {
                name: KMS_KEY,
                reason: match local {
                    Some(_) => format!("cannot be set together with `{LOCAL_KEY}`"),
                    None => "expected `projects/…/locations/…/keyRings/…/cryptoKeys/…/cryptoKeyVersions/…`".to_owned(),
                },
            }),
        }
    }

    /// The key that this configuration names.
    #[must_use]
    pub fn key(&self) -> Arc<dyn MacKey> {
        match self {
            Self::CloudKms(name) => Arc::new(CloudKmsMac::new(name.clone())),
            Self::Local(key) => Arc::new(LocalMac::new(key.clone())),
        }
    }
}

/// Which key wraps the keys of sealed credentials.
#[derive(Clone, Debug)]
pub enum EncryptionKeyConfig {
    /// `KMS_CREDENTIALS_KEY`: `projects/…/cryptoKeys/…` of Cloud KMS, with the purpose
    /// `ENCRYPT_DECRYPT`.
    CloudKms(String),
    /// `LOCAL_CREDENTIALS_KEY_FILE`: a file of keys, see [`LocalKeys`]; development only.
    Local(PathBuf),
}

impl EncryptionKeyConfig {
    /// Reads the variables. Both together are refused: which one counts would be a guess.
    ///
    /// # Errors
    /// Returns the variable that is missing, invalid, or not allowed on Cloud Run.
    pub fn load(env: &Env) -> Result<Self, Error> {
        let local = env.development_only(LOCAL_CREDENTIALS)?;
        let invalid = |name, reason| Err(Error::Invalid { name, reason });
        match (env.optional(KMS_CREDENTIALS), local) {
            (Some(_), Some(_)) => invalid(
                KMS_CREDENTIALS,
                format!("cannot be set together with `{LOCAL_CREDENTIALS}`"),
            ),
            (Some(name), None) if is_resource(name, &KEY) => Ok(Self::CloudKms(name.to_owned())),
            (Some(_), None) => invalid(
                KMS_CREDENTIALS,
                "expected `projects/…/locations/…/keyRings/…/cryptoKeys/…`".to_owned(),
            ),
            (None, Some(path)) => match LocalKeys::new(path).check() {
                Ok(()) => Ok(Self::Local(path.into())),
                Err(reason) => invalid(LOCAL_CREDENTIALS, reason),
            },
            (None, None) => Err(Error::Missing(KMS_CREDENTIALS)),
        }
    }

    /// The key that this configuration names.
    #[must_use]
    pub fn key(&self) -> Arc<dyn EncryptionKey> {
        match self {
            Self::CloudKms(name) => Arc::new(CloudKmsEncryption::new(name.clone())),
            Self::Local(path) => Arc::new(LocalKeys::new(path)),
        }
    }
}

/// <https://cloud.google.com/kms/docs/getting-resource-ids>.
const KEY: [&str; 4] = ["projects", "locations", "keyRings", "cryptoKeys"];
const KEY_VERSION: [&str; 5] = [KEY[0], KEY[1], KEY[2], KEY[3], "cryptoKeyVersions"];

/// Whether a name has these collections, and an id below each.
fn is_resource(name: &str, collections: &[&str]) -> bool {
    let segments: Vec<&str> = name.split('/').collect();
    let is_filled = segments.iter().all(|segment| !segment.is_empty());
    let has_ids = segments.len() == 2 * collections.len();
    is_filled && has_ids && segments.iter().step_by(2).eq(collections.iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1";

    fn load(pairs: &[(&str, &str)]) -> Result<MacConfig, Error> {
        MacConfig::load(&Env::from_pairs(pairs.iter().copied()))
    }

    #[test]
    fn a_key_is_named_or_given() {
        assert!(matches!(
            load(&[(KMS_KEY, NAME)]),
            Ok(MacConfig::CloudKms(_))
        ));
        assert!(matches!(load(&[(LOCAL_KEY, "x")]), Ok(MacConfig::Local(_))));
    }

    #[test]
    fn without_a_key_nothing_starts() {
        assert!(matches!(load(&[]), Err(Error::Missing(KMS_KEY))));
    }

    #[test]
    fn what_is_no_key_version_is_refused() {
        let key = NAME.trim_end_matches("/cryptoKeyVersions/1");
        for name in [
            key,
            "k",
            "projects/p/locations/l/keyRings/r/cryptoKeys//cryptoKeyVersions/1",
        ] {
            let refused = load(&[(KMS_KEY, name)]);
            assert!(
                matches!(refused, Err(Error::Invalid { name: KMS_KEY, .. })),
                "{name}"
            );
        }
    }

    #[test]
    fn both_keys_together_are_refused() {
        assert!(load(&[(KMS_KEY, NAME), (LOCAL_KEY, "x")]).is_err());
    }

    #[test]
    fn the_local_key_is_refused_on_cloud_run() {
        let refused = load(&[("K_SERVICE", "api"), (LOCAL_KEY, "x")]);
        assert!(matches!(refused, Err(Error::DevelopmentOnly(LOCAL_KEY))));
    }

    const CREDENTIALS_KEY: &str = "projects/p/locations/l/keyRings/r/cryptoKeys/k";

    fn load_encryption(pairs: &[(&str, &str)]) -> Result<EncryptionKeyConfig, Error> {
        EncryptionKeyConfig::load(&Env::from_pairs(pairs.iter().copied()))
    }

    /// A key file, as long as it is held.
    fn key_file(content: &str) -> (tempfile::NamedTempFile, String) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, content).unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        (file, path)
    }

    fn keys(primary: &str, key: &str) -> String {
        format!(r#"{{ "primary": "{primary}", "keys": {{ "1": "{key}" }} }}"#)
    }

    const BASE64_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    #[test]
    fn an_encryption_key_is_named_or_in_a_file() {
        let named = load_encryption(&[(KMS_CREDENTIALS, CREDENTIALS_KEY)]);
        assert!(matches!(named, Ok(EncryptionKeyConfig::CloudKms(_))));
        let (_file, path) = key_file(&keys("1", BASE64_KEY));
        let local = load_encryption(&[(LOCAL_CREDENTIALS, &path)]);
        assert!(matches!(local, Ok(EncryptionKeyConfig::Local(_))));
    }

    #[test]
    fn a_version_is_no_encryption_key() {
        for name in [NAME, "k", "projects/p/locations/l/keyRings//cryptoKeys/k"] {
            let refused = load_encryption(&[(KMS_CREDENTIALS, name)]);
            assert!(matches!(refused, Err(Error::Invalid { .. })), "{name}");
        }
    }

    #[test]
    fn a_key_file_that_cannot_be_used_is_refused_and_not_shown() {
        for content in [
            &keys("2", BASE64_KEY),
            &keys("1", "AAAA"),
            &keys("1", "secret!"),
            "secret!",
            "{}",
        ] {
            let (_file, path) = key_file(content);
            let refused = load_encryption(&[(LOCAL_CREDENTIALS, &path)]).unwrap_err();
            let Error::Invalid { name, reason } = refused else {
                panic!("{refused}");
            };
            assert_eq!(name, LOCAL_CREDENTIALS);
            assert!(!reason.contains("secret!"), "{reason}");
        }
        assert!(load_encryption(&[(LOCAL_CREDENTIALS, "/nowhere")]).is_err());
    }

    #[test]
    fn both_encryption_keys_or_none_are_refused() {
        let (_file, path) = key_file(&keys("1", BASE64_KEY));
        let both = [
            (KMS_CREDENTIALS, CREDENTIALS_KEY),
            (LOCAL_CREDENTIALS, &path),
        ];
        assert!(load_encryption(&both).is_err());
        let none = load_encryption(&[]);
        assert!(matches!(none, Err(Error::Missing(KMS_CREDENTIALS))));
    }

    #[test]
    fn a_key_file_is_refused_on_cloud_run() {
        let (_file, path) = key_file(&keys("1", BASE64_KEY));
        let refused = load_encryption(&[("K_SERVICE", "api"), (LOCAL_CREDENTIALS, &path)]);
        assert!(matches!(
            refused,
            Err(Error::DevelopmentOnly(LOCAL_CREDENTIALS))
        ));
    }
}
