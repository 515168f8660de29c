use crate::config::{Env, Error};

const EMULATOR_HOST: &str = "PUBSUB_EMULATOR_HOST";

/// Which topic a service publishes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicConfig {
    /// `projects/…/topics/…`.
    pub topic: String,
    /// `PUBSUB_EMULATOR_HOST`: host and port of an emulator, which asks for no credentials;
    /// development only.
    pub emulator_host: Option<String>,
}

impl TopicConfig {
    /// Reads the variable `name`, if it is set. On Cloud Run it has to be.
    ///
    /// # Errors
    /// Returns the variable that is missing, invalid, or not allowed on Cloud Run.
    pub fn load_optional(env: &Env, name: &'static str) -> Result<Option<Self>, Error> {
        let emulator_host = env.development_only(EMULATOR_HOST)?.map(str::to_owned);
        if env.optional(name).is_none() && !env.is_cloud_run() {
            return Ok(None);
        }
        let topic = topic_name(name, env.required(name)?)?;
        Ok(Some(Self {
            topic,
            emulator_host,
        }))
    }
}

/// The topic that the variable `name` holds as a resource name
/// (<https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names>).
///
/// # Errors
/// Returns [`Error::Invalid`] for anything else.
pub fn topic_name(name: &'static str, value: &str) -> Result<String, Error> {
    let is_plain = |segment: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.~+%:".contains(c);
        !segment.is_empty() && segment.chars().all(allowed)
    };
    let segments: Vec<&str> = value.split('/').collect();
    match segments.as_slice() {
        ["projects", project, "topics", topic] if is_plain(project) && is_plain(topic) => {
            Ok(value.to_owned())
        }
        _ => Err(Error::Invalid {
            name,
            reason: "expected `projects/…/topics/…`".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "SYNC_TOPIC";

    fn load(pairs: &[(&str, &str)]) -> Result<Option<TopicConfig>, Error> {
        TopicConfig::load_optional(&Env::from_pairs(pairs.iter().copied()), NAME)
    }

    #[test]
    fn a_topic_is_named_by_its_project() {
        let topic = "projects/p-1/topics/workspace-sync";
        let config = load(&[(NAME, topic), ("K_SERVICE", "x")]).unwrap().unwrap();
        assert_eq!((config.topic.as_str(), config.emulator_host), (topic, None));
        for name in [
            "workspace-sync",
            "projects/p/topics/",
            "projects/p/topics/t/x",
            "projects/p/subscriptions/s",
            "projects//topics/t",
        ] {
            let refused = load(&[(NAME, name)]);
            assert!(
                matches!(refused, Err(Error::Invalid { name: NAME, .. })),
                "{name}"
            );
        }
    }

    #[test]
    fn a_service_on_cloud_run_has_a_topic_and_no_emulator() {
        assert!(load(&[]).unwrap().is_none());
        let missing = load(&[("K_SERVICE", "x")]);
        assert!(matches!(missing, Err(Error::Missing(NAME))));
        let emulator = [(EMULATOR_HOST, "127.0.0.1:8085"), ("K_SERVICE", "x")];
        let refused = load(&emulator);
        assert!(matches!(
            refused,
            Err(Error::DevelopmentOnly(EMULATOR_HOST))
        ));
    }
}
