use secrecy::SecretString;

use super::{Env, Error};

/// Where Redis is, and who has to vouch for it.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// `REDIS_URL`: `redis://` or `rediss://`.
    pub url: SecretString,
    /// `REDIS_CA`: certificates, in PEM, that the server's is signed by, with `rediss://` only; by
    /// default those that browsers trust. Memorystore has an authority of its own.
    pub authorities: Option<String>,
}

impl RedisConfig {
    /// Reads the variables, if `REDIS_URL` is set.
    #[must_use]
    pub fn load_optional(env: &Env) -> Option<Self> {
        Some(Self {
            url: env.optional("REDIS_URL")?.into(),
            authorities: env.optional("REDIS_CA").map(str::to_owned),
        })
    }

    /// What is said of a configuration that makes no client.
    #[must_use]
    pub fn invalid() -> Error {
        Error::Invalid {
            name: "REDIS_URL",
            reason: "it must be a redis:// or rediss:// URL, and rediss:// with `REDIS_CA`, which is PEM"
                .to_owned(),
        }
    }
}

impl From<SecretString> for RedisConfig {
    fn from(url: SecretString) -> Self {
        Self {
            url,
            authorities: None,
        }
    }
}
