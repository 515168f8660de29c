use url::{Host, Url};

use crate::config::{Env, Error};

/// The names of the variables that tell a service its queue. Services that share an environment
/// have queues of their own.
#[derive(Clone, Copy, Debug)]
pub struct QueueVariables {
    /// Names [`QueueConfig::queue`].
    pub queue: &'static str,
    /// Names [`QueueConfig::target_url`].
    pub target_url: &'static str,
    /// Names [`Access::CloudTasks::service_account`].
    pub service_account: &'static str,
}

/// `TASKS_QUEUE`, `TASKS_TARGET_URL` and `TASKS_SERVICE_ACCOUNT`.
const TASKS: QueueVariables = QueueVariables {
    queue: "TASKS_QUEUE",
    target_url: "TASKS_TARGET_URL",
    service_account: "TASKS_SERVICE_ACCOUNT",
};

const EMULATOR_HOST: &str = "CLOUD_TASKS_EMULATOR_HOST";

/// Which queue a service hands its own work to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueConfig {
    /// `TASKS_QUEUE` for executions: `projects/…/locations/…/queues/…`.
    pub queue: String,
    /// `TASKS_TARGET_URL` for executions: this service's URL, without a trailing slash. Deliveries are
    /// made below it.
    pub target_url: String,
    /// How the queue is reached.
    pub access: Access,
}

/// How the queue is reached, and as whom it delivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Cloud Tasks. `TASKS_SERVICE_ACCOUNT` for executions: the account whose OIDC token each delivery
    /// carries.
    CloudTasks {
        /// Its e-mail address.
        service_account: String,
    },
    /// `CLOUD_TASKS_EMULATOR_HOST`: host and port of a stand-in that asks for no credentials and
    /// gives none; development only.
    Emulator {
        /// As `host:port`.
        host: String,
    },
}

impl QueueConfig {
    /// Reads the variables of the queue of executions.
    ///
    /// # Errors
    /// Returns the variable that is missing, invalid, or not allowed on Cloud Run.
    pub fn load(env: &Env) -> Result<Self, Error> {
        Self::load_from(env, &TASKS)
    }

    /// The same for the queue that other variables tell.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_from(env: &Env, variables: &QueueVariables) -> Result<Self, Error> {
        let emulator_host = env.development_only(EMULATOR_HOST)?;
        let queue = env.required(variables.queue)?;
        if !is_queue(queue) {
            return Err(Error::Invalid {
                name: variables.queue,
                reason: "expected `projects/…/locations/…/queues/…`".to_owned(),
            });
        }
        Ok(Self {
            queue: queue.to_owned(),
            target_url: target_url(env, variables.target_url)?,
            access: match emulator_host {
                Some(host) => Access::Emulator {
                    host: host.to_owned(),
                },
                None => Access::CloudTasks {
                    service_account: env.required(variables.service_account)?.to_owned(),
                },
            },
        })
    }
}

/// A token goes along, which nobody else may read.
fn target_url(env: &Env, name: &'static str) -> Result<String, Error> {
    let url: Url = env.required_parsed(name)?;
    let is_safe = match url.scheme() {
        "https" => true,
        "http" => is_this_machine(&url),
        _ => false,
    };
    let is_bare = url.query().is_none() && url.fragment().is_none();
    if is_safe && is_bare && url.username().is_empty() && url.password().is_none() {
        return Ok(url.as_str().trim_end_matches('/').to_owned());
    }
    Err(Error::Invalid {
        name,
        reason: "expected `https://host/path`, or `http` on this machine".to_owned(),
    })
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// <https://cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues>.
fn is_queue(name: &str) -> bool {
    let is_plain = |segment: &str| {
        let mut characters = segment.chars();
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.');
        !segment.is_empty() && characters.all(allowed)
    };
    let segments: Vec<&str> = name.split('/').collect();
    let names = segments.iter().step_by(2);
    segments.len() == 6
        && names.eq(["projects", "locations", "queues"].iter())
        && segments.iter().all(|segment| is_plain(segment))
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: &str = TASKS.queue;
    const TARGET_URL: &str = TASKS.target_url;
    const SERVICE_ACCOUNT: &str = TASKS.service_account;
    const NAME: &str = "projects/p-1/locations/europe-west1/queues/executions";
    const URL: &str = "https://execute-workflow-x.a.run.app";

    /// The variables of a service on Cloud Run, some of them replaced.
    fn load(replaced: &[(&str, &str)]) -> Result<QueueConfig, Error> {
        let pairs = [
            (QUEUE, NAME),
            (TARGET_URL, URL),
            (SERVICE_ACCOUNT, "tasks@p-1.iam.gserviceaccount.com"),
        ];
        let env = Env::from_pairs(replaced.iter().copied());
        let is_replaced = |name: &str| replaced.iter().any(|(replaced, _)| *replaced == name);
        let others = pairs.into_iter().filter(|(name, _)| !is_replaced(name));
        QueueConfig::load(&env.with_defaults(others))
    }

    #[test]
    fn the_queue_its_target_and_its_account_are_read() {
        let expected = QueueConfig {
            queue: NAME.to_owned(),
            target_url: URL.to_owned(),
            access: Access::CloudTasks {
                service_account: "tasks@p-1.iam.gserviceaccount.com".to_owned(),
            },
        };
        assert_eq!(load(&[("K_SERVICE", "x")]).unwrap(), expected);
        assert_eq!(load(&[(TARGET_URL, &format!("{URL}/"))]).unwrap(), expected);
    }

    #[test]
    fn each_variable_is_required_and_named() {
        for name in [QUEUE, TARGET_URL, SERVICE_ACCOUNT] {
            let refused = load(&[(name, "")]);
            assert!(
                matches!(refused, Err(Error::Missing(missing)) if missing == name),
                "{name}: {refused:?}"
            );
        }
    }

    #[test]
    fn what_is_no_queue_is_refused() {
        for name in [
            "executions",
            "projects/p/locations/l/queues/",
            "projects/p/locations/l/queues/q/",
            "projects/p/locations/l/topics/q",
            "projects/p/locations/l/queues/q?x=",
            "projects/p/locations/l/queues/q/tasks/t",
        ] {
            let refused = load(&[(QUEUE, name)]);
            assert!(
                matches!(refused, Err(Error::Invalid { name: QUEUE, .. })),
                "{name}"
            );
        }
    }

    #[test]
    fn a_target_that_is_open_to_others_or_more_than_a_path_is_refused() {
        for url in [
            "http://example.com",
            "ftp://example.com",
            "example.com",
            "https://example.com/?a=1",
            "https://example.com/#a",
            "https://ada@example.com",
        ] {
            let refused = load(&[(TARGET_URL, url)]);
            assert!(
                matches!(
                    refused,
                    Err(Error::Invalid {
                        name: TARGET_URL,
                        ..
                    })
                ),
                "{url}"
            );
        }
        for url in ["http://127.0.0.1:8787/functions/x", "http://localhost:1"] {
            assert_eq!(load(&[(TARGET_URL, url)]).unwrap().target_url, url);
        }
    }

    #[test]
    fn an_emulator_needs_no_account_and_is_refused_on_cloud_run() {
        let host = (EMULATOR_HOST, "127.0.0.1:8123");
        let config = load(&[host, (SERVICE_ACCOUNT, "")]).unwrap();
        let host_name = host.1.to_owned();
        assert_eq!(config.access, Access::Emulator { host: host_name });
        let refused = load(&[host, ("K_SERVICE", "x")]);
        assert!(matches!(
            refused,
            Err(Error::DevelopmentOnly(EMULATOR_HOST))
        ));
    }
}
