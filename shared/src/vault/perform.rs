use serde_json::Value;

use super::{Call, Error, Vault, renew::Usable, throttle::Rate};
use crate::{
    actions::Effect,
    connectors::{self, Connector, Request},
    ids::IntegrationId,
    models::Integration,
    retry::{Policy, Transient, retry},
};

/// The cause of an integration whose service does not take the credentials any more.
pub(super) const UNAUTHORIZED: &str = "unauthorized";

impl Vault {
    /// Has the connected service carry out an action. What may be repeated is repeated, as far as
    /// its effect allows.
    ///
    /// # Errors
    /// Returns [`Error`].
    pub async fn perform(&self, call: &Call<'_>) -> Result<Value, Error> {
        let usable = self.look_up(call).await?;
        match self.carry_out(call, &usable).await {
            Err(Error::Service(connectors::Error::Unauthorized)) => {}
            done => return done,
        }
        let renewed = self.renewed(&usable).await?;
        if renewed.has_other_credentials(&usable) {
            match self.carry_out(call, &renewed).await {
                Err(Error::Service(connectors::Error::Unauthorized)) => {}
                done => return done,
            }
        }
        Err(self.refused_for_good(&renewed).await?)
    }

    /// The same integration with what it has after its credentials were refused: a token may have
    /// been ended before its time, and a key replaced since it was read.
    pub(super) async fn renewed(&self, refused: &Usable) -> Result<Usable, Error> {
        let Integration {
            org_id,
            id,
            service,
            ..
        } = &refused.integration;
        let credentials = Some(&refused.credentials);
        self.usable(org_id, id, *service, credentials).await
    }

    /// What it means that the newest credentials are refused: the integration is broken, unless they
    /// were replaced meanwhile.
    pub(super) async fn refused_for_good(&self, refused: &Usable) -> Result<Error, Error> {
        let is_broken = self.mark_broken(&refused.integration, UNAUTHORIZED);
        Ok(match is_broken.await? {
            true => Error::Broken,
            false => Error::Renewing,
        })
    }

    /// The call's integration and its credentials. Nothing has happened yet, so that the database
    /// may fail here even before what must not be repeated.
    async fn look_up(&self, call: &Call<'_>) -> Result<Usable, Error> {
        let (org_id, service) = (call.org_id, call.action.service);
        let looked = retry(Policy::REMOTE_CALL, async || {
            let usable = async {
                let id = self.find_id(call).await?;
                self.usable(org_id, &id, service, None).await
            };
            match usable.await {
                Err(Error::Store(error)) => Err(error),
                done => Ok(done),
            }
        });
        looked.await?
    }

    /// The integration that the call names, or the only one of the service. One that is broken counts
    /// as well: what was to be done with one account is not done with another meanwhile.
    async fn find_id(&self, call: &Call<'_>) -> Result<IntegrationId, Error> {
        let (store, org_id, service) = (&self.store, call.org_id, call.action.service);
        if let Some(id) = call.integration_id {
            return Ok(id.clone());
        }
        let found = store
            .list_integrations_of_service(org_id, service, 2)
            .await?;
        match found.as_slice() {
            [] => Err(Error::NotConnected),
            [only] => Ok(only.value.id.clone()),
            _ => Err(Error::Ambiguous),
        }
    }

    async fn carry_out(&self, call: &Call<'_>, usable: &Usable) -> Result<Value, Error> {
        let missing = call
            .action
            .missing_scopes(&usable.integration.granted_scopes);
        let missing: Vec<_> = missing.map(str::to_owned).collect();
        if !missing.is_empty() {
            return Err(Error::NeedsConsent { scopes: missing });
        }
        let connector = self.connectors.get(call.action.service);
        let connector = connector.ok_or(Error::NotConnected)?;
        let attempts = || self.attempt(connector, call, usable);
        let done = retry(Policy::REMOTE_CALL, attempts).await;
        done.map_err(|failure| match failure.error {
            connectors::Error::Forbidden {
                needs_consent: true,
            } => Error::needs_consent(call.action.scopes),
            error => error.into(),
        })
    }

    async fn attempt(
        &self,
        connector: &dyn Connector,
        call: &Call<'_>,
        usable: &Usable,
    ) -> Result<Value, Failure> {
        let failed = |error| Failure::new(error, call);
        let (id, rate) = (&usable.integration.id, Rate::of(call.action));
        self.throttle.wait(id, rate).await.map_err(failed)?;
        let request = Request {
            action: call.action.name,
            input: call.input,
            idempotency_key: call.idempotency_key,
        };
        let performed = connector.perform(&usable.credentials, &request);
        performed.await.map_err(failed)
    }
}

/// A call that was not carried out, and whether it may be tried again.
struct Failure {
    error: connectors::Error,
    may_repeat: bool,
}

impl Failure {
    fn new(error: connectors::Error, call: &Call<'_>) -> Self {
        let is_done_again_unseen = match call.action.effect {
            Effect::Read | Effect::Keyed => call.at_most_once,
            Effect::Searched | Effect::Once => true,
        };
        let may_repeat =
            error.is_transient() && !(is_done_again_unseen && error.may_have_happened());
        Self { error, may_repeat }
    }
}

impl Transient for Failure {
    fn is_transient(&self) -> bool {
        self.may_repeat
    }

    fn retry_after(&self) -> Option<std::time::Duration> {
        self.error.retry_after()
    }
}
