use secrecy::SecretString;
use serde::{Deserialize, de::value::StrDeserializer};
use shared::{
    auth::{ServiceAuthConfig, SignatureCheck},
    config::{Env, Error, ServiceConfig},
    crypto::MacConfig,
    models::SubscriptionTier,
    queue::{QueueConfig, QueueVariables},
    rate_limit::RateLimitConfig,
};

use crate::tier::ProductTiers;

const PRODUCT_TIERS: &str = "STRIPE_PRODUCT_TIERS";

/// The queue of events.
const QUEUE: QueueVariables = QueueVariables {
    queue: "STRIPE_EVENTS_QUEUE",
    target_url: "STRIPE_EVENTS_TARGET_URL",
    service_account: "STRIPE_EVENTS_SERVICE_ACCOUNT",
};

/// Variables of `handle-stripe-webhook`.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every function needs.
    pub service: ServiceConfig,
    /// The key of the audit trail.
    pub mac: MacConfig,
    /// `STRIPE_API_KEY`: secret or restricted key that may write subscriptions and meter events, and
    /// read meters.
    pub api_key: SecretString,
    /// `STRIPE_API_BASE_URL`: where the API is; default `https://api.stripe.com/`.
    pub api_base_url: String,
    /// What is accepted as an event.
    pub webhook: WebhookConfig,
    /// Where events are handed in: `STRIPE_EVENTS_QUEUE`, `STRIPE_EVENTS_TARGET_URL` and
    /// `STRIPE_EVENTS_SERVICE_ACCOUNT`.
    pub queue: QueueConfig,
    /// Whose tasks and ticks are accepted; anyone's without it.
    pub callers: Option<ServiceAuthConfig>,
    /// How often somebody may come.
    pub rate_limits: RateLimitConfig,
}

/// What is accepted as an event, and what prices mean.
#[derive(Clone, Debug)]
pub struct WebhookConfig {
    /// `STRIPE_WEBHOOK_SECRETS`: signing secrets, comma-separated; two while one is rolled.
    pub secrets: Vec<SecretString>,
    /// `STRIPE_LIVEMODE`: whether events tell of real money.
    pub livemode: bool,
    /// `STRIPE_PRODUCT_TIERS`: `prod_…=pro,prod_…=enterprise`, for prices without a lookup key.
    pub product_tiers: ProductTiers,
}

impl Config {
    /// Reads the variables.
    ///
    /// # Errors
    /// Returns the first variable that is missing or invalid.
    pub fn from_env(env: &Env) -> Result<Self, Error> {
        let base_url: String =
            env.parsed("STRIPE_API_BASE_URL", "https://api.stripe.com/".to_owned())?;
        Ok(Self {
            service: ServiceConfig::load(env)?,
            mac: MacConfig::load(env)?,
            api_key: env.secret("STRIPE_API_KEY")?,
            api_base_url: format!("{}/", base_url.trim_end_matches('/')),
            webhook: WebhookConfig::load(env)?,
            queue: QueueConfig::load_from(env, &QUEUE)?,
            callers: load_callers(env)?,
            rate_limits: RateLimitConfig::load(env)?,
        })
    }
}

/// Stripe must get in without Cloud Run's IAM check, so that nobody but this process can check who
/// else calls.
fn load_callers(env: &Env) -> Result<Option<ServiceAuthConfig>, Error> {
    let callers = ServiceAuthConfig::load(env)?;
    let is_left_to_others =
        |callers: &ServiceAuthConfig| callers.signature_check == SignatureCheck::CloudRun;
    if callers.as_ref().is_some_and(is_left_to_others) {
        return Err(Error::Invalid {
            name: "EVENTS_SIGNATURE_CHECK",
            reason: "this service is public: expected `function`".to_owned(),
        });
    }
    Ok(callers)
}

impl WebhookConfig {
    fn load(env: &Env) -> Result<Self, Error> {
        env.required("STRIPE_WEBHOOK_SECRETS")?;
        let secrets = env.list("STRIPE_WEBHOOK_SECRETS");
        if secrets.is_empty() {
            return Err(Error::Missing("STRIPE_WEBHOOK_SECRETS"));
        }
        Ok(Self {
            secrets: secrets.into_iter().map(SecretString::from).collect(),
            livemode: env.required_parsed("STRIPE_LIVEMODE")?,
            product_tiers: load_product_tiers(env)?,
        })
    }
}

fn load_product_tiers(env: &Env) -> Result<ProductTiers, Error> {
    let items = env.list(PRODUCT_TIERS);
    items.iter().map(|item| parse_product_tier(item)).collect()
}

fn parse_product_tier(item: &str) -> Result<(String, SubscriptionTier), Error> {
    let invalid = || Error::Invalid {
        name: PRODUCT_TIERS,
        reason: format!("`{item}` is not `<product id>=<free|pro|enterprise>`"),
    };
    let (product, tier) = item.split_once('=').ok_or_else(invalid)?;
    let tier: StrDeserializer<'_, serde::de::value::Error> = StrDeserializer::new(tier);
    let tier = SubscriptionTier::deserialize(tier).map_err(|_| invalid())?;
    Ok((product.to_owned(), tier))
}

#[cfg(test)]
mod tests {
    use shared::testing;

    use super::*;

    const KEY: &str = "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1";

    fn env(extra: &[(&'static str, &'static str)]) -> Env {
        let required = [
            ("GOOGLE_CLOUD_PROJECT", "demo"),
            ("KMS_MAC_KEY", KEY),
            ("STRIPE_API_KEY", "rk_test_1"),
            ("STRIPE_WEBHOOK_SECRETS", "whsec_1, whsec_2"),
            ("STRIPE_LIVEMODE", "false"),
            (
                "STRIPE_EVENTS_QUEUE",
                "projects/p/locations/l/queues/stripe-events",
            ),
            ("STRIPE_EVENTS_TARGET_URL", "https://stripe.example.com"),
            (
                "STRIPE_EVENTS_SERVICE_ACCOUNT",
                "tasks@p.iam.gserviceaccount.com",
            ),
        ];
        Env::from_pairs(required.into_iter().chain(extra.iter().copied()))
    }

    #[test]
    fn secrets_are_a_list() {
        let config = Config::from_env(&env(&[])).unwrap();
        assert_eq!(config.webhook.secrets.len(), 2);
    }

    #[test]
    fn a_blank_list_of_secrets_is_refused() {
        let error = Config::from_env(&env(&[("STRIPE_WEBHOOK_SECRETS", " , ")])).unwrap_err();
        assert!(
            error.to_string().contains("STRIPE_WEBHOOK_SECRETS"),
            "{error}"
        );
    }

    #[test]
    fn the_base_url_ends_with_one_slash() {
        for url in ["http://127.0.0.1:1", "http://127.0.0.1:1/"] {
            let config = Config::from_env(&env(&[("STRIPE_API_BASE_URL", url)])).unwrap();
            assert_eq!(config.api_base_url, "http://127.0.0.1:1/");
        }
    }

    #[test]
    fn the_queue_is_this_services_own() {
        for name in [QUEUE.queue, QUEUE.target_url, QUEUE.service_account] {
            let error = Config::from_env(&env(&[(name, "")])).unwrap_err();
            assert!(
                matches!(error, Error::Missing(missing) if missing == name),
                "{error}"
            );
        }
    }

    #[test]
    fn callers_are_checked_here_and_by_nobody_else() {
        let callers = [
            ("EVENTS_AUDIENCE", "https://stripe.example.com"),
            ("EVENTS_SERVICE_ACCOUNTS", "tasks@p.iam.gserviceaccount.com"),
        ];
        assert!(Config::from_env(&env(&callers)).unwrap().callers.is_some());
        let left = [
            callers[0],
            callers[1],
            ("EVENTS_SIGNATURE_CHECK", "cloud_run"),
        ];
        let error = Config::from_env(&env(&left)).unwrap_err();
        assert!(
            error.to_string().contains("EVENTS_SIGNATURE_CHECK"),
            "{error}"
        );
        let on_cloud_run = Config::from_env(&env(&[("K_SERVICE", "x")])).unwrap_err();
        assert!(
            matches!(on_cloud_run, Error::Missing("EVENTS_AUDIENCE")),
            "{on_cloud_run}"
        );
    }

    #[test]
    fn an_emulator_on_cloud_run_ends_the_start() {
        for emulator in ["FIREBASE_AUTH_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST"] {
            let variables = [(emulator, "127.0.0.1:1"), ("K_SERVICE", "x")];
            assert!(Config::from_env(&env(&variables[..1])).is_ok());
            let error = Config::from_env(&env(&variables)).unwrap_err();
            assert!(error.to_string().contains(emulator), "{error}");
        }
    }

    #[test]
    fn on_cloud_run_callers_must_be_named() {
        let required = [
            ("GOOGLE_CLOUD_PROJECT", "demo"),
            ("KMS_MAC_KEY", KEY),
            ("STRIPE_API_KEY", "rk_test_1"),
            ("STRIPE_WEBHOOK_SECRETS", "whsec_1"),
            ("STRIPE_LIVEMODE", "false"),
            (QUEUE.queue, "projects/p/locations/l/queues/stripe-events"),
            (QUEUE.target_url, "https://stripe.example.com"),
            (QUEUE.service_account, "tasks@p.iam.gserviceaccount.com"),
        ];
        let load = |env: &Env| Config::from_env(env).map(|config| config.callers);
        testing::assert_callers_must_be_named(&required, load);
    }

    #[test]
    fn products_name_tiers() {
        let config = Config::from_env(&env(&[(PRODUCT_TIERS, "prod_1=pro")])).unwrap();
        let tiers = config.webhook.product_tiers;
        assert_eq!(
            tiers,
            ProductTiers::from([("prod_1".to_owned(), SubscriptionTier::Pro)])
        );
    }

    #[test]
    fn an_unknown_tier_is_refused_with_its_product() {
        let error = Config::from_env(&env(&[(PRODUCT_TIERS, "prod_1=gold")])).unwrap_err();
        assert!(error.to_string().contains("prod_1=gold"), "{error}");
    }
}
