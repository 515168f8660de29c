use super::{Error, Vault, credentials, sealed::credentials_of};
use crate::{
    connectors::Credentials,
    crypto::EnvelopeError,
    ids::{IntegrationId, OrgId},
    models::{Integration, IntegrationService, Sealed},
    retry::{Policy, retry},
};

impl Vault {
    /// The credentials of an integration.
    pub(super) async fn open(&self, integration: &Integration) -> Result<Credentials, Error> {
        let place = credentials_of(&integration.org_id, &integration.id, integration.service);
        let sealed = integration.credentials.as_str();
        let opened = retry(Policy::REMOTE_CALL, || self.envelope.open(sealed, &place));
        let text = opened.await?;
        let credentials = credentials::read(&text);
        let own = credentials.filter(|credentials| credentials.are_for(integration.service));
        Ok(own.ok_or(EnvelopeError::Unopenable)?)
    }

    /// Credentials sealed for an integration, and for no other.
    pub(super) async fn seal(
        &self,
        org_id: &OrgId,
        id: &IntegrationId,
        service: IntegrationService,
        credentials: &Credentials,
    ) -> Result<Sealed, Error> {
        let text = credentials::write(credentials).map_err(|_| EnvelopeError::Unopenable)?;
        let place = credentials_of(org_id, id, service);
        let sealed = retry(Policy::REMOTE_CALL, || self.envelope.seal(&text, &place));
        Ok(sealed.await?.into())
    }
}
