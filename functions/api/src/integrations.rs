use shared::{
    ids::{fingerprint, random_token},
    models::{IntegrationService, OAuthState, Principal, Timestamp},
    quota::Plan,
    store::{Store, oauth_states},
};
use url::Url;

use crate::{
    config::GoogleClient,
    error::Error,
    google_consent::{self, Feature},
    organization,
};

/// How long a user may take to consent.
const STATE_SECS: i64 = 10 * 60;

/// A consent that was begun.
#[derive(Debug)]
pub(crate) struct Consent {
    pub(crate) url: Url,
    pub(crate) scopes: Vec<String>,
    pub(crate) expires_at: Timestamp,
}

/// Begins to connect the user's Google account. The state is kept under its hash, bound to user
/// and organization; the database never sees the token itself.
pub(crate) async fn begin_google_consent(
    store: &Store,
    client: Option<&GoogleClient>,
    principal: &Principal,
    features: &[Feature],
    now: Timestamp,
) -> Result<Consent, Error> {
    let client = client.ok_or(Error::Precondition("Google sign-in is not configured"))?;
    require_workspace(store, principal).await?;
    let (state, code_verifier) = (random_token(), random_token());
    let scopes = google_consent::scopes(features);
    let expires_at = now.plus_seconds(STATE_SECS);
    let url = google_consent::consent_url(client, &scopes, &state, &code_verifier)?;
    let record = OAuthState {
        org_id: principal.org_id.clone(),
        uid: principal.uid.clone(),
        service: IntegrationService::Google,
        scopes: scopes.clone(),
        is_new_consent: true,
        expires_at,
    };
    let state_hash = fingerprint(&["oauth_state", &state]);
    let write = oauth_states::create(&state_hash, &record)?;
    store.commit(vec![write]).await?;
    Ok(Consent {
        url,
        scopes,
        expires_at,
    })
}

async fn require_workspace(store: &Store, principal: &Principal) -> Result<(), Error> {
    let organization = organization::find(store, &principal.org_id).await?;
    if Plan::for_organization(&organization).workspace {
        return Ok(());
    }
    Err(Error::Precondition("Google Workspace needs the pro tier"))
}
