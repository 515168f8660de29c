//! Credentials that are good for a call: renewed early, and once for any number of processes.

use secrecy::ExposeSecret;

use super::{Error, KEY_DESTROYED, Vault};
use crate::{
    connectors::{
        Credentials, GoogleTokens,
        google::oauth::{self, GoogleOAuth, Refreshed},
    },
    crypto::EnvelopeError,
    ids::{IntegrationId, OrgId},
    models::{Integration, IntegrationService, IntegrationStatus, RenewalLease, Timestamp},
    retry::{Policy, Transient, retry},
    store::{self, Versioned, commit_contended, integrations},
};

/// How long before its end an access token is renewed.
const EARLY_SECS: i64 = 5 * 60;

/// How much of a token is enough for a call, while somebody else renews it.
const LEAST_SECS: i64 = 30;

/// How long a renewal may take before somebody else tries: longer than [`Policy::REMOTE_CALL`] and
/// one more answer.
const LEASE_SECS: i64 = 30;

/// An integration with credentials that are good for a call.
pub(super) struct Usable {
    pub(super) integration: Integration,
    pub(super) credentials: Credentials,
}

impl Usable {
    /// Whether its credentials are not those of `earlier`.
    pub(super) fn has_other_credentials(&self, earlier: &Self) -> bool {
        self.integration.credentials != earlier.integration.credentials
    }
}

/// Why there is nothing to call with.
enum Obstacle {
    /// Somebody else is renewing, or was faster: look again.
    Renewing,
    /// There will not be.
    Final(Error),
}

impl<E: Into<Error>> From<E> for Obstacle {
    fn from(error: E) -> Self {
        Self::Final(error.into())
    }
}

impl Transient for Obstacle {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Renewing)
    }
}

impl Vault {
    /// An integration of the service that works, with credentials that it has not `refused`.
    pub(super) async fn usable(
        &self,
        org_id: &OrgId,
        id: &IntegrationId,
        service: IntegrationService,
        refused: Option<&Credentials>,
    ) -> Result<Usable, Error> {
        let usable = retry(Policy::LEASE, || self.look(org_id, id, service, refused)).await;
        usable.map_err(|obstacle| match obstacle {
            Obstacle::Renewing => Error::Renewing,
            Obstacle::Final(error) => error,
        })
    }

    async fn look(
        &self,
        org_id: &OrgId,
        id: &IntegrationId,
        service: IntegrationService,
        refused: Option<&Credentials>,
    ) -> Result<Usable, Obstacle> {
        let found = self.store.find_integration(org_id, id).await?;
        let own = found.filter(|found| found.value.service == service);
        let integration = own.ok_or(Error::NotConnected)?;
        if integration.value.status != IntegrationStatus::Connected {
            return Err(Error::Broken.into());
        }
        let credentials = match self.open(&integration.value).await {
            Err(Error::Envelope(EnvelopeError::Unopenable)) => {
                return Err(self.why_unopenable(&integration.value).await?.into());
            }
            opened => opened?,
        };
        let (Credentials::Google(tokens), Some(google)) = (&credentials, &self.google) else {
            return Ok(Usable {
                integration: integration.value,
                credentials,
            });
        };
        match need_of(tokens, refused, integration.value.renewal, self.now()) {
            Need::Nothing => Ok(Usable {
                integration: integration.value,
                credentials,
            }),
            Need::Patience => Err(Obstacle::Renewing),
            Need::Renewal => {
                let claimed = self.claim(integration).await?;
                self.renew(google, claimed, tokens, refused).await
            }
        }
    }

    /// What credentials that cannot be opened mean: under a version of the key that is gone for
    /// good, the integration is broken.
    async fn why_unopenable(&self, integration: &Integration) -> Result<Error, Error> {
        let sealed = integration.credentials.as_str();
        if self.envelope.is_lost(sealed).await? {
            self.mark_broken(integration, KEY_DESTROYED).await?;
            return Ok(Error::Broken);
        }
        Ok(EnvelopeError::Unopenable.into())
    }

    /// Takes the renewal for this caller; of those who try at the same time, one gets it.
    async fn claim(
        &self,
        mut integration: Versioned<Integration>,
    ) -> Result<Integration, Obstacle> {
        integration.value.renewal = RenewalLease {
            fence: integration.value.renewal.fence.saturating_add(1),
            until: Some(self.now().plus_seconds(LEASE_SECS)),
        };
        let writes = integrations::replace(&integration)?.into();
        match self.store.commit(writes).await {
            Ok(_) => Ok(integration.value),
            Err(error) if error.is_lost_race() => Err(Obstacle::Renewing),
            Err(error) => Err(error.into()),
        }
    }

    async fn renew(
        &self,
        google: &GoogleOAuth,
        claimed: Integration,
        tokens: &GoogleTokens,
        refused: Option<&Credentials>,
    ) -> Result<Usable, Obstacle> {
        let token = &tokens.refresh_token;
        let refreshed = retry(Policy::REMOTE_CALL, || google.refresh(token)).await;
        let error = match refreshed {
            Ok(refreshed) => return self.keep(claimed, tokens, refreshed).await,
            Err(error) => error,
        };
        if let oauth::Error::InvalidGrant(end) = error {
            // Another worker may have a newer token: only the one that was tried is worthless.
            let is_broken = self.mark_broken(&claimed, end.as_str()).await?;
            return Err(match is_broken {
                true => Error::Broken.into(),
                false => Obstacle::Renewing,
            });
        }
        self.release(&claimed).await?;
        if !lasts(tokens, refused, LEAST_SECS, self.now()) {
            return Err(error.into());
        }
        // It was to be renewed early: what there is still serves.
        let error = &error as &dyn std::error::Error;
        tracing::warn!(integration.id = %claimed.id, error, "credentials not renewed in advance");
        Ok(Usable {
            integration: claimed,
            credentials: Credentials::Google(tokens.clone()),
        })
    }

    /// Keeps what Google has given, unless somebody else has claimed the renewal since: what they
    /// keep is newer.
    async fn keep(
        &self,
        claimed: Integration,
        tokens: &GoogleTokens,
        refreshed: Refreshed,
    ) -> Result<Usable, Obstacle> {
        let old = || tokens.refresh_token.clone();
        let renewed = Credentials::Google(GoogleTokens {
            access_token: refreshed.access_token,
            expires_at: refreshed.expires_at,
            refresh_token: refreshed.refresh_token.unwrap_or_else(old),
        });
        let Integration {
            org_id,
            id,
            service,
            ..
        } = &claimed;
        let sealed = match self.seal(org_id, id, *service, &renewed).await {
            Ok(sealed) => sealed,
            Err(error) => {
                self.release(&claimed).await?;
                return Err(error.into());
            }
        };
        let (sealed, scopes) = (&sealed, &refreshed.scopes);
        let kept = self.under_fence(&claimed, |current| {
            current.credentials.clone_from(sealed);
            if let Some(scopes) = scopes {
                current.granted_scopes.clone_from(scopes);
            }
            current.renewal.until = None;
        });
        Ok(Usable {
            integration: kept.await?.ok_or(Obstacle::Renewing)?,
            credentials: renewed,
        })
    }

    /// Lets the next caller try at once.
    async fn release(&self, claimed: &Integration) -> Result<(), store::Error> {
        let released = self.under_fence(claimed, |current| current.renewal.until = None);
        released.await.map(drop)
    }

    /// Changes the integration, if its fence is still that of the claim.
    async fn under_fence(
        &self,
        claimed: &Integration,
        change: impl Fn(&mut Integration) + Sync,
    ) -> Result<Option<Integration>, store::Error> {
        let change = &change;
        commit_contended(&self.store, || async move {
            let current = self.store.find_integration(&claimed.org_id, &claimed.id);
            let Some(mut current) = current.await?.filter(|current| is_own(current, claimed))
            else {
                return Ok((Vec::new(), None));
            };
            change(&mut current.value);
            let writes = integrations::replace(&current)?.into();
            Ok((writes, Some(current.value)))
        })
        .await
    }
}

/// Whether nobody has claimed the renewal or replaced the credentials since.
pub(super) fn is_own(current: &Versioned<Integration>, claimed: &Integration) -> bool {
    current.value.renewal.fence == claimed.renewal.fence
}

/// What has to happen before tokens are good for a call.
enum Need {
    Nothing,
    /// Somebody else is renewing them.
    Patience,
    Renewal,
}

fn need_of(
    tokens: &GoogleTokens,
    refused: Option<&Credentials>,
    lease: RenewalLease,
    now: Timestamp,
) -> Need {
    let lasts = |seconds| lasts(tokens, refused, seconds, now);
    let is_taken = lease.until.is_some_and(|until| until > now);
    match is_taken {
        _ if lasts(EARLY_SECS) => Need::Nothing,
        true if lasts(LEAST_SECS) => Need::Nothing,
        true => Need::Patience,
        false => Need::Renewal,
    }
}

/// Whether the access token is good for so many seconds more, as far as anybody knows.
fn lasts(
    tokens: &GoogleTokens,
    refused: Option<&Credentials>,
    seconds: i64,
    now: Timestamp,
) -> bool {
    let is_refused = match refused {
        Some(Credentials::Google(refused)) => {
            refused.access_token.expose_secret() == tokens.access_token.expose_secret()
        }
        _ => false,
    };
    !is_refused && now.plus_seconds(seconds) < tokens.expires_at
}
