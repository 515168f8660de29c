use shared::config::{Env, Error};

const IMAGE: &str = "AGENT_IMAGE";
const REGION: &str = "AGENT_REGION";
const SERVICE_ACCOUNT: &str = "AGENT_SERVICE_ACCOUNT";
const MAX_INSTANCES: &str = "AGENT_MAX_INSTANCES";
const EMULATOR_HOST: &str = "CLOUD_RUN_EMULATOR_HOST";

/// The services that agents run in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudRunConfig {
    /// The project of the services.
    pub project_id: String,
    /// `AGENT_REGION`: the region of the services, such as `europe-west1`.
    pub region: String,
    /// `AGENT_IMAGE`: the container image of every agent.
    pub image: String,
    /// `AGENT_SERVICE_ACCOUNT`: e-mail address of the account that an agent runs as; `{agent}` in
    /// it stands for the 24 hexadecimal digits of the agent's service.
    pub service_account: String,
    /// `AGENT_MAX_INSTANCES`: instances of one agent at most, from 1; default 3.
    pub max_instances: u32,
    /// `CLOUD_RUN_EMULATOR_HOST`: host and port of a stand-in that asks for no credentials;
    /// development only.
    pub emulator_host: Option<String>,
}

impl CloudRunConfig {
    /// Reads the variables, if there is an image.
    ///
    /// # Errors
    /// Returns the variable that is missing, invalid, or not allowed on Cloud Run.
    pub fn load_optional(env: &Env, project_id: &str) -> Result<Option<Self>, Error> {
        let emulator_host = env.development_only(EMULATOR_HOST)?;
        let Some(image) = env.optional(IMAGE) else {
            return Ok(None);
        };
        Ok(Some(Self {
            project_id: project_id.to_owned(),
            region: region(env)?,
            image: image.to_owned(),
            service_account: service_account(env)?,
            max_instances: max_instances(env)?,
            emulator_host: emulator_host.map(str::to_owned),
        }))
    }
}

/// It becomes part of an address.
fn region(env: &Env) -> Result<String, Error> {
    let region = env.required(REGION)?;
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    match region.chars().all(is_plain) {
        true => Ok(region.to_owned()),
        false => Err(invalid(REGION, "expected a region such as `europe-west1`")),
    }
}

fn service_account(env: &Env) -> Result<String, Error> {
    let account = env.required(SERVICE_ACCOUNT)?;
    match account.contains('@') {
        true => Ok(account.to_owned()),
        false => Err(invalid(SERVICE_ACCOUNT, "expected an e-mail address")),
    }
}

fn max_instances(env: &Env) -> Result<u32, Error> {
    match env.parsed(MAX_INSTANCES, 3)? {
        0 => Err(invalid(MAX_INSTANCES, "expected a number from 1")),
        count => Ok(count),
    }
}

fn invalid(name: &'static str, reason: &str) -> Error {
    let reason = reason.to_owned();
    Error::Invalid { name, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE_NAME: &str = "europe-docker.pkg.dev/p/agents/agent@sha256:00ff";

    fn load(replaced: &[(&str, &str)]) -> Result<Option<CloudRunConfig>, Error> {
        let pairs = [
            (IMAGE, IMAGE_NAME),
            (REGION, "europe-west1"),
            (SERVICE_ACCOUNT, "agents@p.iam.gserviceaccount.com"),
        ];
        let is_replaced = |name: &str| replaced.iter().any(|(replaced, _)| *replaced == name);
        let others = pairs.into_iter().filter(|(name, _)| !is_replaced(name));
        let env = Env::from_pairs(replaced.iter().copied()).with_defaults(others);
        CloudRunConfig::load_optional(&env, "p")
    }

    #[test]
    fn without_an_image_there_are_no_containers() {
        assert_eq!(load(&[(IMAGE, "")]).unwrap(), None);
    }

    #[test]
    fn with_an_image_region_and_account_are_required() {
        let config = load(&[("K_SERVICE", "x")]).unwrap().unwrap();
        assert_eq!(
            (config.image.as_str(), config.max_instances),
            (IMAGE_NAME, 3)
        );
        for name in [REGION, SERVICE_ACCOUNT] {
            let refused = load(&[(name, "")]);
            assert!(
                matches!(refused, Err(Error::Missing(missing)) if missing == name),
                "{name}"
            );
        }
    }

    #[test]
    fn values_that_cannot_be_are_named() {
        for (name, value) in [
            (REGION, "europe/west1"),
            (SERVICE_ACCOUNT, "agents"),
            (MAX_INSTANCES, "0"),
            (MAX_INSTANCES, "many"),
        ] {
            let refused = load(&[(name, value)]);
            assert!(
                matches!(&refused, Err(Error::Invalid { name: named, .. }) if *named == name),
                "{name}: {refused:?}"
            );
        }
    }

    #[test]
    fn a_stand_in_is_refused_on_cloud_run() {
        let host = (EMULATOR_HOST, "127.0.0.1:1");
        let config = load(&[host]).unwrap().unwrap();
        assert_eq!(config.emulator_host.as_deref(), Some(host.1));
        let refused = load(&[host, ("K_SERVICE", "x")]);
        assert!(matches!(
            refused,
            Err(Error::DevelopmentOnly(EMULATOR_HOST))
        ));
    }
}
