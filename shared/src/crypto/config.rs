use std::sync::Arc;

use secrecy::SecretString;

use super::{CloudKmsMac, LocalMac, MacKey};
use crate::config::{Env, Error};

const KMS_KEY: &str = "KMS_MAC_KEY";
const LOCAL_KEY: &str = "LOCAL_MAC_KEY";

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
            (Some(name), None) if is_key_version(name) => Ok(Self::CloudKms(name.to_owned())),
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

/// <https://cloud.google.com/kms/docs/getting-resource-ids>.
fn is_key_version(name: &str) -> bool {
    let names = [
        "projects",
        "locations",
        "keyRings",
        "cryptoKeys",
        "cryptoKeyVersions",
    ];
    let segments: Vec<&str> = name.split('/').collect();
    let is_filled = segments.iter().all(|segment| !segment.is_empty());
    is_filled && segments.len() == 10 && segments.iter().step_by(2).eq(names.iter())
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
}
