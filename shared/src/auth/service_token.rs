use std::{str::FromStr, sync::Arc};

use async_trait::async_trait;

use super::{Error, candidate::Candidate, key_cache::KeyCache, keys::KeySource, payload::Payload};
use crate::{
    clock::SharedClock,
    config::{self, Env},
};

/// Both forms that Google has issued
/// (<https://developers.google.com/identity/openid-connect/openid-connect#validatinganidtoken>).
const ISSUERS: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];

/// What Cloud Run puts in the place of a signature that it has checked itself
/// (<https://cloud.google.com/run/docs/troubleshooting#signature-removed>).
const REMOVED_SIGNATURE: &str = "SIGNATURE_REMOVED_BY_GOOGLE";

const AUDIENCE: &str = "EVENTS_AUDIENCE";
const SERVICE_ACCOUNTS: &str = "EVENTS_SERVICE_ACCOUNTS";
const SIGNATURE_CHECK: &str = "EVENTS_SIGNATURE_CHECK";

/// The service account that a verified OIDC token names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Its e-mail address, such as `events@my-project.iam.gserviceaccount.com`.
    pub email: String,
}

/// Turns an OIDC token of Eventarc, Pub/Sub, Cloud Scheduler or Cloud Tasks into the service
/// account that it proves.
#[async_trait]
pub trait ServiceTokenVerifier: Send + Sync {
    /// Verifies `token` as of now.
    async fn verify(&self, token: &str) -> Result<ServiceAccount, Error>;
}

/// Whose events are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAuthConfig {
    /// `EVENTS_AUDIENCE`: the URL that the callers' OIDC tokens are made for.
    pub audience: String,
    /// `EVENTS_SERVICE_ACCOUNTS`: e-mail addresses of the callers, comma-separated.
    pub service_accounts: Vec<String>,
    /// `EVENTS_SIGNATURE_CHECK`: who checks the tokens' signatures; default `function`.
    pub signature_check: SignatureCheck,
}

/// Who checks a token's signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignatureCheck {
    /// `function`: this process, always.
    #[default]
    Function,
    /// `cloud_run`: Cloud Run, whose IAM check removes the signature that it has found good. Only
    /// for a service that is not public: elsewhere anyone can make such a token.
    CloudRun,
}

impl FromStr for SignatureCheck {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "function" => Ok(Self::Function),
            "cloud_run" => Ok(Self::CloudRun),
            _ => Err("expected `function` or `cloud_run`".to_owned()),
        }
    }
}

impl ServiceAuthConfig {
    /// Reads the variables; none of them is set on a machine that checks no callers.
    ///
    /// # Errors
    /// Returns a variable that is missing or invalid. On Cloud Run none may be missing.
    pub fn load(env: &Env) -> Result<Option<Self>, config::Error> {
        let names = [AUDIENCE, SERVICE_ACCOUNTS, SIGNATURE_CHECK];
        let is_unset = names.iter().all(|name| env.optional(name).is_none());
        if is_unset && !env.is_cloud_run() {
            return Ok(None);
        }
        Ok(Some(Self {
            audience: env.required(AUDIENCE)?.to_owned(),
            service_accounts: load_service_accounts(env)?,
            signature_check: load_signature_check(env)?,
        }))
    }

    /// The verifier that this configuration asks for.
    #[must_use]
    pub fn verifier(
        self,
        keys: Arc<dyn KeySource>,
        clock: SharedClock,
    ) -> Arc<dyn ServiceTokenVerifier> {
        Arc::new(GoogleVerifier {
            config: self,
            keys: KeyCache::new(keys, Arc::clone(&clock)),
            clock,
        })
    }
}

fn load_service_accounts(env: &Env) -> Result<Vec<String>, config::Error> {
    let accounts = env.list(SERVICE_ACCOUNTS);
    if accounts.is_empty() {
        return Err(config::Error::Missing(SERVICE_ACCOUNTS));
    }
    if accounts.iter().any(|account| !account.contains('@')) {
        return Err(config::Error::Invalid {
            name: SERVICE_ACCOUNTS,
            reason: "expected e-mail addresses, comma-separated".to_owned(),
        });
    }
    Ok(accounts)
}

/// Off Cloud Run nobody else checks a signature.
fn load_signature_check(env: &Env) -> Result<SignatureCheck, config::Error> {
    let check = env.parsed(SIGNATURE_CHECK, SignatureCheck::default())?;
    if check == SignatureCheck::CloudRun && !env.is_cloud_run() {
        return Err(config::Error::Invalid {
            name: SIGNATURE_CHECK,
            reason: "`cloud_run` is for Cloud Run".to_owned(),
        });
    }
    Ok(check)
}

/// Verifies tokens that Google has signed for service accounts.
struct GoogleVerifier {
    config: ServiceAuthConfig,
    keys: KeyCache,
    clock: SharedClock,
}

#[async_trait]
impl ServiceTokenVerifier for GoogleVerifier {
    async fn verify(&self, token: &str) -> Result<ServiceAccount, Error> {
        let now = self.clock.now();
        let candidate = Candidate::check(token, |payload| self.check_payload(payload, now))?;
        let account = self.confirm(candidate).await?;
        if self.config.service_accounts.contains(&account.email) {
            Ok(account)
        } else {
            Err(Error::ServiceAccount)
        }
    }
}

impl GoogleVerifier {
    /// <https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions#protocol>.
    fn check_payload(
        &self,
        claims: &Payload<'_>,
        now: jiff::Timestamp,
    ) -> Result<ServiceAccount, Error> {
        claims.require("iss", &ISSUERS)?;
        claims.require("aud", &[&self.config.audience])?;
        claims.required_text("sub")?;
        claims.require_begun(now)?;
        claims.future_instant("exp", now)?;
        claims.past_instant("iat", now)?;
        let email = claims.required_text("email")?.to_owned();
        if !claims.flag("email_verified")? {
            return Err(Error::Claim("email_verified"));
        }
        Ok(ServiceAccount { email })
    }

    async fn confirm(
        &self,
        candidate: Candidate<'_, ServiceAccount>,
    ) -> Result<ServiceAccount, Error> {
        if candidate.signature() == REMOVED_SIGNATURE {
            if self.config.signature_check == SignatureCheck::CloudRun {
                return Ok(candidate.trust());
            }
            tracing::warn!("a token's signature was removed: see `{SIGNATURE_CHECK}`");
            return Err(Error::Signature);
        }
        let keys = self.keys.keys_for(candidate.key_id()?).await?;
        candidate.confirm(&keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUDIENCE_SET: (&str, &str) = (AUDIENCE, "https://execute.example.run.app");
    const ACCOUNTS_SET: (&str, &str) = (SERVICE_ACCOUNTS, "a@p.example, b@p.example");
    const ON_CLOUD_RUN: (&str, &str) = ("K_SERVICE", "execute-workflow");

    fn load(pairs: &[(&str, &str)]) -> Result<Option<ServiceAuthConfig>, String> {
        let env = Env::from_pairs(pairs.iter().copied());
        ServiceAuthConfig::load(&env).map_err(|error| error.to_string())
    }

    #[test]
    fn audience_and_accounts_are_read() {
        for pairs in [
            vec![AUDIENCE_SET, ACCOUNTS_SET],
            vec![AUDIENCE_SET, ACCOUNTS_SET, ON_CLOUD_RUN],
            vec![AUDIENCE_SET, ACCOUNTS_SET, (SIGNATURE_CHECK, "function")],
        ] {
            let config = load(&pairs).unwrap().unwrap();
            assert_eq!(config.audience, AUDIENCE_SET.1);
            assert_eq!(config.service_accounts, ["a@p.example", "b@p.example"]);
            assert_eq!(config.signature_check, SignatureCheck::Function);
        }
    }

    #[test]
    fn only_cloud_run_can_have_checked_a_signature() {
        let cloud_run = (SIGNATURE_CHECK, "cloud_run");
        let pairs = [AUDIENCE_SET, ACCOUNTS_SET, cloud_run, ON_CLOUD_RUN];
        let config = load(&pairs).unwrap().unwrap();
        assert_eq!(config.signature_check, SignatureCheck::CloudRun);
        assert!(load(&pairs[..3]).unwrap_err().contains(SIGNATURE_CHECK));
    }

    #[test]
    fn a_machine_may_leave_callers_unchecked() {
        assert_eq!(load(&[]), Ok(None));
    }

    #[test]
    fn what_is_half_set_missing_on_cloud_run_or_invalid_is_named() {
        let rows = [
            (vec![AUDIENCE_SET], SERVICE_ACCOUNTS),
            (vec![ACCOUNTS_SET], AUDIENCE),
            (vec![(SIGNATURE_CHECK, "function")], AUDIENCE),
            (vec![ON_CLOUD_RUN], AUDIENCE),
            (vec![ON_CLOUD_RUN, AUDIENCE_SET], SERVICE_ACCOUNTS),
            (vec![ON_CLOUD_RUN, ACCOUNTS_SET], AUDIENCE),
            (
                vec![AUDIENCE_SET, (SERVICE_ACCOUNTS, " , ")],
                SERVICE_ACCOUNTS,
            ),
            (
                vec![AUDIENCE_SET, (SERVICE_ACCOUNTS, "allUsers")],
                SERVICE_ACCOUNTS,
            ),
            (
                vec![AUDIENCE_SET, ACCOUNTS_SET, (SIGNATURE_CHECK, "nobody")],
                SIGNATURE_CHECK,
            ),
        ];
        for (pairs, name) in rows {
            let error = load(&pairs).unwrap_err();
            assert!(error.contains(&format!("`{name}`")), "{pairs:?}: {error}");
        }
    }
}
