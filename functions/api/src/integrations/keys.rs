use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use shared::{
    connectors::{self, Credentials, GithubApp, TwilioAccount},
    ids::{IntegrationId, fingerprint},
    models::{IntegrationService, Principal, Timestamp},
    retry::Transient,
    vault::{self, Connecting},
};

use super::{Hub, IntegrationSummary, NO_SUCH, keep, require_right};
use crate::{
    error::{Error, Problem},
    idempotency::{Done, Once},
};

/// What a service is connected with; which fields there are depends on the service.
#[derive(Default)]
pub(crate) struct Keys {
    pub(crate) key: Option<SecretString>,
    pub(crate) app_id: Option<SecretString>,
    pub(crate) installation_id: Option<SecretString>,
    pub(crate) private_key: Option<SecretString>,
    pub(crate) account_sid: Option<SecretString>,
    pub(crate) key_sid: Option<SecretString>,
    pub(crate) secret: Option<SecretString>,
}

/// Connects an account by its key, after its service has taken it.
pub(crate) async fn connect(
    hub: &Hub,
    once: &Once,
    principal: &Principal,
    service: IntegrationService,
    keys: &Keys,
    now: Timestamp,
) -> Result<Done<IntegrationSummary>, Error> {
    require_right(principal, service)?;
    if let Some(done) = once.replay(&hub.store).await? {
        return Ok(done);
    }
    let vault = hub.vault()?;
    let credentials = keys.credentials(service)?;
    let connecting = connecting(principal, service);
    let checked = vault.check(service, &credentials).await;
    let account = checked.map_err(|error| from_check(error, service, keys))?;
    let sealed = vault.seal_for(&connecting, &account, &credentials);
    let connection = &sealed.await?;
    once.commit(&hub.store, || keep(hub, principal, connection, now))
        .await
}

/// Gives an integration other credentials of the same account.
pub(crate) async fn reconnect(
    hub: &Hub,
    once: &Once,
    principal: &Principal,
    id: &IntegrationId,
    keys: &Keys,
    now: Timestamp,
) -> Result<Done<IntegrationSummary>, Error> {
    if let Some(done) = once.replay(&hub.store).await? {
        return Ok(done);
    }
    let found = hub.store.find_integration(&principal.org_id, id).await?;
    let integration = found.ok_or(NO_SUCH)?.value;
    let service = integration.service;
    require_right(principal, service)?;
    let vault = hub.vault()?;
    let credentials = keys.credentials(service)?;
    let connecting = connecting(principal, service);
    let checked = vault.check(service, &credentials).await;
    let account = checked.map_err(|error| from_check(error, service, keys))?;
    let sealed = vault.seal_again(&integration, &connecting, &account, &credentials);
    let sealed = sealed.await.map_err(|error| match error {
        vault::Error::OtherAccount { is_named } => {
            let message = match is_named {
                true => "is of another account",
                false => tells_no_account(service),
            };
            invalid(keys.secret_field(service), message)
        }
        error => error.into(),
    });
    let connection = &sealed?;
    once.commit(&hub.store, || keep(hub, principal, connection, now))
        .await
}

fn connecting(principal: &Principal, service: IntegrationService) -> Connecting<'_> {
    Connecting {
        org_id: &principal.org_id,
        uid: &principal.uid,
        service,
    }
}

impl Keys {
    /// The credentials of a service, made of its own fields and no others.
    fn credentials(&self, service: IntegrationService) -> Result<Credentials, Error> {
        let names = self.fields_of(service)?;
        let mut problems = Vec::new();
        for (name, value) in self.fields() {
            match value.map(|value| value.expose_secret().trim()) {
                Some(_) if !names.contains(&name) => {
                    problems.push(Problem::new(name, "is not a field of this service"));
                }
                None | Some("") if names.contains(&name) => {
                    problems.push(Problem::new(name, "is required"));
                }
                _ => {}
            }
        }
        if !problems.is_empty() {
            return Err(Error::Invalid(problems));
        }
        let secret = |value: &Option<SecretString>| {
            let value = value.as_ref().map(|value| value.expose_secret().trim());
            SecretString::from(value.unwrap_or_default())
        };
        let text = |value: &Option<SecretString>| secret(value).expose_secret().to_owned();
        Ok(match names {
            APP => Credentials::GithubApp(GithubApp {
                app_id: text(&self.app_id),
                installation_id: text(&self.installation_id)
                    .parse()
                    .map_err(|_| invalid("installationId", "must be a number in digits"))?,
                private_key: secret(&self.private_key),
            }),
            TWILIO => Credentials::Twilio(TwilioAccount {
                account_sid: text(&self.account_sid),
                key_sid: text(&self.key_sid),
                secret: secret(&self.secret),
            }),
            _ => Credentials::Key(secret(&self.key)),
        })
    }

    fn fields_of(&self, service: IntegrationService) -> Result<&'static [&'static str], Error> {
        match service {
            IntegrationService::Google => Err(invalid(
                "service",
                "is connected by the user's consent, not by a key",
            )),
            IntegrationService::Twilio => Ok(TWILIO),
            IntegrationService::Github if self.private_key.is_some() => Ok(APP),
            _ => Ok(KEY),
        }
    }

    fn fields(&self) -> [(&'static str, Option<&SecretString>); 7] {
        [
            ("key", self.key.as_ref()),
            ("appId", self.app_id.as_ref()),
            ("installationId", self.installation_id.as_ref()),
            ("privateKey", self.private_key.as_ref()),
            ("accountSid", self.account_sid.as_ref()),
            ("keySid", self.key_sid.as_ref()),
            ("secret", self.secret.as_ref()),
        ]
    }

    /// The field that a service refuses when it refuses the credentials.
    fn secret_field(&self, service: IntegrationService) -> &'static str {
        let names = self.fields_of(service).unwrap_or(KEY);
        names.last().copied().unwrap_or("key")
    }

    /// What tells two requests apart without telling a secret: for [`Once`].
    pub(crate) fn fingerprints(&self) -> impl Serialize + use<> {
        self.fields().map(|(name, value)| {
            let value = value.map(|value| fingerprint(&[name, value.expose_secret()]));
            (name, value)
        })
    }
}

const KEY: &[&str] = &["key"];
const APP: &[&str] = &["appId", "installationId", "privateKey"];
const TWILIO: &[&str] = &["accountSid", "keySid", "secret"];

/// What the service refuses is the caller's mistake, and named; what fails passes.
fn from_check(error: vault::Error, service: IntegrationService, keys: &Keys) -> Error {
    match error {
        vault::Error::NotConnected => invalid("service", "cannot be connected here"),
        vault::Error::Service(error) if !error.is_transient() => {
            let field = keys.secret_field(service);
            match error {
                connectors::Error::Malformed => vault::Error::Service(error).into(),
                connectors::Error::Forbidden { .. } => {
                    invalid(field, "does not allow what is needed")
                }
                _ => invalid(field, "is not accepted by the service"),
            }
        }
        error => error.into(),
    }
}

/// What the key lacks, so that nobody can tell whether it is of the same account.
fn tells_no_account(service: IntegrationService) -> &'static str {
    match service {
        IntegrationService::Stripe => {
            "does not tell whose it is: it needs the permission to read the account"
        }
        _ => "does not tell whose it is",
    }
}

fn invalid(field: &'static str, message: &'static str) -> Error {
    Error::Invalid(vec![Problem::new(field, message)])
}
