//! Configuration: read once at start, typed, and refused with the variable's name.

mod redis;

use std::{collections::HashMap, fmt::Display, str::FromStr};

use secrecy::SecretString;

pub use self::redis::RedisConfig;

/// A variable that is missing or cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A required variable is absent or empty.
    #[error("environment variable `{0}` is required and not set")]
    Missing(&'static str),
    /// A variable does not parse.
    #[error("environment variable `{name}` is invalid: {reason}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// What is expected, without the value: it may be a secret.
        reason: String,
    },
    /// A development variable is set on Cloud Run.
    #[error("environment variable `{0}` is for development and must not be set on Cloud Run")]
    DevelopmentOnly(&'static str),
}

/// Set by Cloud Run to the name of the service or of the job
/// (<https://cloud.google.com/run/docs/container-contract#env-vars>).
const CLOUD_RUN_MARKERS: [&str; 2] = ["K_SERVICE", "CLOUD_RUN_JOB"];

/// A snapshot of environment variables.
#[derive(Clone, Default)]
pub struct Env {
    variables: HashMap<String, String>,
}

impl Env {
    /// The variables of this process.
    #[must_use]
    pub fn from_process() -> Self {
        Self {
            variables: std::env::vars().collect(),
        }
    }

    /// Variables given by the caller: several functions can run in one process.
    #[must_use]
    pub fn from_pairs<K: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let variables = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Self { variables }
    }

    /// Adds variables that are not set or empty.
    #[must_use]
    pub fn with_defaults<K: Into<String>, V: Into<String>>(
        mut self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        for (name, value) in pairs {
            let variable = self.variables.entry(name.into()).or_default();
            if variable.is_empty() {
                *variable = value.into();
            }
        }
        self
    }

    /// The value of a variable, if it is set and not empty.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The value of a variable that must be set.
    ///
    /// # Errors
    /// Returns [`Error::Missing`] when it is absent or empty.
    pub fn required(&self, name: &'static str) -> Result<&str, Error> {
        self.optional(name).ok_or(Error::Missing(name))
    }

    /// A secret that must be set.
    ///
    /// # Errors
    /// Returns [`Error::Missing`] when it is absent or empty.
    pub fn secret(&self, name: &'static str) -> Result<SecretString, Error> {
        self.required(name).map(SecretString::from)
    }

    /// A typed value, or `default` when the variable is not set.
    ///
    /// # Errors
    /// Returns [`Error::Invalid`] when it is set and does not parse.
    pub fn parsed<T>(&self, name: &'static str, default: T) -> Result<T, Error>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.optional(name)
            .map_or(Ok(default), |value| parse(name, value))
    }

    /// A typed value of a variable that must be set.
    ///
    /// # Errors
    /// Returns [`Error::Missing`] or [`Error::Invalid`].
    pub fn required_parsed<T>(&self, name: &'static str) -> Result<T, Error>
    where
        T: FromStr,
        T::Err: Display,
    {
        parse(name, self.required(name)?)
    }

    /// Comma-separated values; empty when the variable is not set.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<String> {
        let items = self.optional(name).unwrap_or_default().split(',');
        items
            .map(|item| item.trim().to_owned())
            .filter(|item| !item.is_empty())
            .collect()
    }

    /// The value of a variable that may be set on a developer's machine only.
    ///
    /// # Errors
    /// Returns [`Error::DevelopmentOnly`] when it is set on Cloud Run.
    pub fn development_only(&self, name: &'static str) -> Result<Option<&str>, Error> {
        match self.optional(name) {
            Some(_) if self.is_cloud_run() => Err(Error::DevelopmentOnly(name)),
            value => Ok(value),
        }
    }

    /// Whether this process runs on Cloud Run; an empty marker is one as well.
    #[must_use]
    pub fn is_cloud_run(&self) -> bool {
        let mut markers = CLOUD_RUN_MARKERS.iter();
        markers.any(|marker| self.variables.contains_key(*marker))
    }
}

/// What every function needs.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// `GOOGLE_CLOUD_PROJECT`: the project that holds the database and issues ID tokens.
    pub project_id: String,
    /// `PORT`: the port to listen on; default 8080.
    pub port: u16,
    /// `FIRESTORE_DATABASE`: the database id; default `(default)`.
    pub database_id: String,
    /// `FIRESTORE_EMULATOR_HOST`: host and port of an emulator; development only.
    pub firestore_emulator_host: Option<String>,
    /// Whether logs are JSON for Cloud Logging: on Cloud Run, or with `LOG_FORMAT=json`.
    pub json_logs: bool,
}

impl ServiceConfig {
    /// Reads the variables that every function shares.
    ///
    /// # Errors
    /// Returns the first variable that is missing, invalid or not allowed here.
    pub fn load(env: &Env) -> Result<Self, Error> {
        let firestore_emulator_host = env.development_only("FIRESTORE_EMULATOR_HOST")?;
        env.development_only("FIREBASE_AUTH_EMULATOR_HOST")?;
        Ok(Self {
            project_id: env.required("GOOGLE_CLOUD_PROJECT")?.to_owned(),
            port: env.parsed("PORT", 8080)?,
            database_id: env.parsed("FIRESTORE_DATABASE", "(default)".to_owned())?,
            firestore_emulator_host: firestore_emulator_host.map(str::to_owned),
            json_logs: env.is_cloud_run() || env.optional("LOG_FORMAT") == Some("json"),
        })
    }
}

fn parse<T>(name: &'static str, value: &str) -> Result<T, Error>
where
    T: FromStr,
    T::Err: Display,
{
    value.parse().map_err(|error: T::Err| Error::Invalid {
        name,
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_variable_is_named() {
        let error = ServiceConfig::load(&Env::default()).unwrap_err();
        assert!(
            error.to_string().contains("GOOGLE_CLOUD_PROJECT"),
            "{error}"
        );
    }

    #[test]
    fn an_emulator_is_refused_on_cloud_run() {
        let emulators = ["FIRESTORE_EMULATOR_HOST", "FIREBASE_AUTH_EMULATOR_HOST"];
        let markers = [
            ("K_SERVICE", "api"),
            ("K_SERVICE", ""),
            ("CLOUD_RUN_JOB", "audit"),
        ];
        let pairs = markers.map(|marker| emulators.map(|emulator| (emulator, marker)));
        for (emulator, marker) in pairs.into_iter().flatten() {
            let env = Env::from_pairs([
                marker,
                ("GOOGLE_CLOUD_PROJECT", "demo"),
                (emulator, "127.0.0.1:8080"),
            ]);
            let error = ServiceConfig::load(&env).unwrap_err();
            assert!(
                matches!(error, Error::DevelopmentOnly(name) if name == emulator),
                "{error}"
            );
        }
    }

    #[test]
    fn a_number_out_of_range_is_refused_with_its_name() {
        let env = Env::from_pairs([("GOOGLE_CLOUD_PROJECT", "demo"), ("PORT", "70000")]);
        let error = ServiceConfig::load(&env).unwrap_err();
        assert!(error.to_string().contains("`PORT`"), "{error}");
    }

    #[test]
    fn lists_ignore_blanks() {
        let env = Env::from_pairs([("ORIGINS", " https://a.example , ,https://b.example")]);
        assert_eq!(
            env.list("ORIGINS"),
            ["https://a.example", "https://b.example"]
        );
    }
}
