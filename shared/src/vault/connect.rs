use super::{Error, Vault, credentials};
use crate::{
    connectors::{self, Account, Connector, Credentials},
    crypto::EnvelopeError,
    ids::{IntegrationId, OrgId, Uid, fingerprint},
    models::{Integration, IntegrationService, IntegrationStatus, RenewalLease},
    retry::{Policy, retry},
    store::{Write, integrations},
};

/// Credentials that their service has accepted, sealed for their integration and not yet kept.
pub struct Connection {
    integration: Integration,
}

/// Which integration credentials are sealed for.
struct Target {
    id: IntegrationId,
    is_of_key: bool,
}

/// Who connects what.
#[derive(Clone, Copy, Debug)]
pub struct Connecting<'a> {
    /// The organization.
    pub org_id: &'a OrgId,
    /// Its member.
    pub uid: &'a Uid,
    /// The service.
    pub service: IntegrationService,
}

impl Connection {
    /// The integration as it will be.
    #[must_use]
    pub fn integration(&self) -> &Integration {
        &self.integration
    }

    /// The integration that it makes or replaces.
    #[must_use]
    pub fn id(&self) -> &IntegrationId {
        &self.integration.id
    }
}

impl Vault {
    /// Asks the service whose credentials these are.
    ///
    /// # Errors
    /// Returns [`Error::Service`] when it does not take them.
    pub async fn check(
        &self,
        service: IntegrationService,
        credentials: &Credentials,
    ) -> Result<Account, Error> {
        if !credentials.are_for(service) {
            return Err(connectors::Error::Unauthorized.into());
        }
        let connector = self.connector(service)?;
        let checked = retry(Policy::REMOTE_CALL, || connector.check(credentials));
        Ok(checked.await?)
    }

    /// Seals credentials that were checked: for the one integration of this account, so that
    /// whoever connects it meanwhile connects the same.
    ///
    /// # Errors
    /// Returns [`Error::Envelope`].
    pub async fn seal_for(
        &self,
        connecting: &Connecting<'_>,
        account: &Account,
        credentials: &Credentials,
    ) -> Result<Connection, Error> {
        let target = Target {
            id: integration_id(connecting, account, credentials)?,
            is_of_key: account.id.is_none(),
        };
        self.seal_as(target, connecting, account, credentials).await
    }

    /// The same in place of an integration's earlier credentials.
    ///
    /// # Errors
    /// Returns [`Error::OtherAccount`] when they are not of its account or nobody can tell, and
    /// [`Error::Envelope`].
    pub async fn seal_again(
        &self,
        integration: &Integration,
        connecting: &Connecting<'_>,
        account: &Account,
        credentials: &Credentials,
    ) -> Result<Connection, Error> {
        let target = Target {
            id: integration.id.clone(),
            is_of_key: integration.is_of_key,
        };
        match &account.id {
            // No key of a service that tells of no accounts can be told from another's.
            None if target.is_of_key => {}
            None => return Err(Error::OtherAccount { is_named: false }),
            Some(account_id) if id_of_account(connecting, account_id) == target.id => {}
            Some(_) => return Err(Error::OtherAccount { is_named: true }),
        }
        self.seal_as(target, connecting, account, credentials).await
    }

    /// The writes that keep a connection, for a commit that also records who has made it, and the
    /// integration that it replaces. Build them anew after a lost race.
    ///
    /// # Errors
    /// Returns [`Error::Disconnecting`] while what was synced through it is being deleted, and the
    /// database's error.
    pub async fn keep_connection(
        &self,
        connection: &Connection,
    ) -> Result<(Vec<Write>, Option<Integration>), Error> {
        let new = &connection.integration;
        let found = self.store.find_integration(&new.org_id, &new.id).await?;
        let Some(mut current) = found else {
            return Ok((integrations::create(new)?.into(), None));
        };
        let before = current.value.clone();
        if before.is_disconnecting() {
            return Err(Error::Disconnecting);
        }
        // Whoever is renewing the credentials before these comes too late.
        let fence = new
            .renewal
            .fence
            .max(before.renewal.fence.saturating_add(1));
        current.value = Integration {
            last_sync: before.last_sync,
            renewal: RenewalLease { fence, until: None },
            shares_knowledge: false,
            allows_triggers: false,
            ..new.clone()
        };
        Ok((integrations::replace(&current)?.into(), Some(before)))
    }

    /// The refresh token that is held for a Google account, when Google has given no new one.
    ///
    /// # Errors
    /// Returns the errors of the database and of the envelope.
    pub async fn held_credentials(
        &self,
        connecting: &Connecting<'_>,
        account: &Account,
    ) -> Result<Option<Credentials>, Error> {
        let Some(account_id) = &account.id else {
            return Ok(None);
        };
        let id = id_of_account(connecting, account_id);
        let found = self.store.find_integration(connecting.org_id, &id).await?;
        let working = found.filter(|found| found.value.status == IntegrationStatus::Connected);
        match working {
            Some(found) => self.open(&found.value).await.map(Some),
            None => Ok(None),
        }
    }

    async fn seal_as(
        &self,
        target: Target,
        connecting: &Connecting<'_>,
        account: &Account,
        credentials: &Credentials,
    ) -> Result<Connection, Error> {
        let Target { id, is_of_key } = target;
        let Connecting {
            org_id,
            uid,
            service,
        } = *connecting;
        let sealed = self.seal(org_id, &id, service, credentials).await?;
        // An integration that was disconnected and is connected anew must not meet the fences of
        // before: time has gone on.
        let fence = self.now().instant().as_microsecond();
        Ok(Connection {
            integration: Integration {
                id,
                org_id: org_id.clone(),
                owner_uid: uid.clone(),
                service,
                account_label: account.label.clone(),
                is_of_key,
                credentials: sealed,
                status: IntegrationStatus::Connected,
                error_cause: None,
                last_sync: None,
                granted_scopes: account.scopes.clone(),
                renewal: RenewalLease { fence, until: None },
                shares_knowledge: false,
                allows_triggers: false,
            },
        })
    }

    pub(super) fn connector(&self, service: IntegrationService) -> Result<&dyn Connector, Error> {
        self.connectors.get(service).ok_or(Error::NotConnected)
    }
}

/// A service that does not tell whose a key is has one integration for each key.
fn integration_id(
    connecting: &Connecting<'_>,
    account: &Account,
    credentials: &Credentials,
) -> Result<IntegrationId, Error> {
    if let Some(account_id) = &account.id {
        return Ok(id_of_account(connecting, account_id));
    }
    let text = credentials::write(credentials).map_err(|_| EnvelopeError::Unopenable)?;
    let text = std::str::from_utf8(&text).map_err(|_| EnvelopeError::Unopenable)?;
    let (org_id, service) = (connecting.org_id.as_str(), connecting.service.as_str());
    let key = fingerprint(&["credentials", org_id, service, text]);
    Ok(IntegrationId::derive(&["integration of key", &key]))
}

fn id_of_account(connecting: &Connecting<'_>, account_id: &str) -> IntegrationId {
    let (org_id, service) = (connecting.org_id.as_str(), connecting.service.as_str());
    IntegrationId::derive(&["integration", org_id, service, account_id])
}
