use super::{Error, Vault, credentials};
use crate::{
    connectors::Credentials,
    crypto::{EnvelopeError, Place},
    ids::{IntegrationId, OrgId},
    models::{Integration, IntegrationService},
};

/// The name of the sealed field of [`Integration`].
const FIELD: &str = "credentials";

impl Vault {
    /// The credentials of an integration.
    pub(super) async fn open(&self, integration: &Integration) -> Result<Credentials, Error> {
        let place = place(&integration.org_id, &integration.id, integration.service);
        let text = self.envelope.open(&integration.credentials, &place).await?;
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
    ) -> Result<String, Error> {
        let text = credentials::write(credentials).map_err(|_| EnvelopeError::Unopenable)?;
        let place = place(org_id, id, service);
        Ok(self.envelope.seal(&text, &place).await?)
    }
}

fn place<'a>(org_id: &'a OrgId, id: &'a IntegrationId, service: IntegrationService) -> Place<'a> {
    Place {
        org_id: org_id.as_str(),
        integration_id: id.as_str(),
        service: service.as_str(),
        field: FIELD,
    }
}
