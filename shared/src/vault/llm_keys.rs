//! Keys of model providers, for the router of models: the one thing that leaves the hub.

use std::collections::BTreeSet;

use async_trait::async_trait;
use futures::future::try_join_all;
use secrecy::{ExposeSecret, SecretString};

use super::{Error, Vault, perform::UNAUTHORIZED};
use crate::{
    ids::OrgId,
    llm::{KeyError, OrgKeys, ProviderName},
    models::{Integration, IntegrationService, IntegrationStatus},
    retry::Transient,
};

/// The providers that take keys of organizations.
const PROVIDERS: [ProviderName; 3] = [
    ProviderName::Openai,
    ProviderName::Anthropic,
    ProviderName::Gemini,
];

/// Keys of one provider that are looked at.
const MAX_KEYS: u32 = 20;

#[async_trait]
impl OrgKeys for Vault {
    async fn connected(&self, org_id: &OrgId) -> Result<BTreeSet<ProviderName>, KeyError> {
        let found = PROVIDERS.map(|provider| async move {
            let keys = self.list_keys(org_id, provider, 1).await?;
            Ok::<_, Error>((!keys.is_empty()).then_some(provider))
        });
        let found = try_join_all(found).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Of several keys the first that works is taken.
    async fn open(
        &self,
        org_id: &OrgId,
        provider: ProviderName,
    ) -> Result<Option<SecretString>, KeyError> {
        let keys = self.list_keys(org_id, provider, MAX_KEYS).await?;
        if keys.is_empty() {
            return Ok(None);
        }
        let mut keys = keys.iter();
        let works = keys.find(|key| key.status == IntegrationStatus::Connected);
        let works = works.ok_or(KeyError::Broken)?;
        let usable = self.usable(org_id, &works.id, works.service, None).await?;
        let key = usable.credentials.key().map_err(Error::from)?;
        Ok(Some(key.clone()))
    }

    async fn refuse(
        &self,
        org_id: &OrgId,
        provider: ProviderName,
        key: &SecretString,
    ) -> Result<(), KeyError> {
        for seen in self.list_keys(org_id, provider, MAX_KEYS).await? {
            if seen.status != IntegrationStatus::Connected {
                continue;
            }
            let credentials = Self::open(self, &seen).await?;
            let known = credentials.key().map_err(Error::from)?;
            if known.expose_secret() == key.expose_secret() {
                self.mark_broken(&seen, UNAUTHORIZED).await?;
            }
        }
        Ok(())
    }
}

impl Vault {
    async fn list_keys(
        &self,
        org_id: &OrgId,
        provider: ProviderName,
        limit: u32,
    ) -> Result<Vec<Integration>, Error> {
        let Some(service) = service_of(provider) else {
            return Ok(Vec::new());
        };
        let store = &self.store;
        let found = store.list_integrations_of_service(org_id, service, limit);
        Ok(found.await?.into_iter().map(|found| found.value).collect())
    }
}

fn service_of(provider: ProviderName) -> Option<IntegrationService> {
    match provider {
        ProviderName::Openai => Some(IntegrationService::Openai),
        ProviderName::Anthropic => Some(IntegrationService::Anthropic),
        ProviderName::Gemini => Some(IntegrationService::Gemini),
        ProviderName::Vertex | ProviderName::Compatible => None,
    }
}

impl From<Error> for KeyError {
    fn from(error: Error) -> Self {
        match error {
            Error::Broken => Self::Broken,
            error => Self::Unreadable {
                is_transient: error.is_transient(),
                source: Box::new(error),
            },
        }
    }
}
