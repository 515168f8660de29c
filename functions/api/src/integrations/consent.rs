use secrecy::ExposeSecret;
use shared::{
    connectors::google::oauth::{self, code_challenge},
    ids::{fingerprint, random_token},
    models::{IntegrationService, IntegrationStatus, OAuthState, Principal, Timestamp},
    quota::Plan,
    store::oauth_states,
};
use url::Url;

use super::{
    Hub,
    features::{self, Feature},
};
use crate::{error::Error, organization};

/// How long a user may take to consent.
const STATE_SECS: i64 = 10 * 60;

/// Integrations of the caller that are looked at for what was granted before.
const MAX_READ: u32 = 100;

/// A consent that was begun.
#[derive(Debug)]
pub(crate) struct Consent {
    pub(crate) url: Url,
    pub(crate) scopes: Vec<String>,
    pub(crate) expires_at: Timestamp,
}

/// Begins to connect the user's Google account, or to add features to the one that it has
/// connected: then only what is missing is asked for.
pub(crate) async fn begin_google_consent(
    hub: &Hub,
    principal: &Principal,
    features: &[Feature],
    now: Timestamp,
) -> Result<Consent, Error> {
    hub.google()?;
    let plan = require_workspace(hub, principal).await?;
    let wanted = features::scopes(features, plan.drive_readonly);
    let granted = find_granted(hub, principal).await?;
    let missing = features::missing(&wanted, &granted);
    // With nothing missing it is another account, or one whose grant is to be made anew.
    let is_new_consent = granted.is_empty() || missing.is_empty();
    let scopes = if is_new_consent { wanted } else { missing };
    let scopes = features::with_identity(scopes);
    ask(hub, principal, scopes, is_new_consent, now).await
}

/// Asks the user for scopes. The state is kept under its hash, bound to user and organization; the
/// database never sees the token itself.
pub(super) async fn ask(
    hub: &Hub,
    principal: &Principal,
    scopes: Vec<String>,
    is_new_consent: bool,
    now: Timestamp,
) -> Result<Consent, Error> {
    let google = hub.google()?;
    let token = random_token();
    let code_verifier = hub.code_verifier(&token).await?;
    let url = google.consent_url(&oauth::Consent {
        scopes: &scopes,
        state: &token,
        code_challenge: &code_challenge(code_verifier.expose_secret()),
        is_new: is_new_consent,
    });
    let expires_at = now.plus_seconds(STATE_SECS);
    let state = OAuthState {
        org_id: principal.org_id.clone(),
        uid: principal.uid.clone(),
        service: IntegrationService::Google,
        scopes: scopes.clone(),
        is_new_consent,
        expires_at,
    };
    let write = oauth_states::create(&state_hash(&token), &state)?;
    hub.store.commit(vec![write]).await?;
    Ok(Consent {
        url,
        scopes,
        expires_at,
    })
}

/// Under what a state is kept.
pub(super) fn state_hash(token: &str) -> String {
    fingerprint(&["oauth_state", token])
}

/// The plan of the organization, if Google Workspace is in it.
pub(super) async fn require_workspace(hub: &Hub, principal: &Principal) -> Result<Plan, Error> {
    let organization = organization::find(&hub.store, &principal.org_id).await?;
    let plan = Plan::for_organization(&organization);
    match plan.workspace {
        true => Ok(plan),
        false => Err(Error::Precondition("Google Workspace needs the pro tier")),
    }
}

/// What the only account that the caller has connected and that works has granted; nothing when
/// there are none or several.
async fn find_granted(hub: &Hub, principal: &Principal) -> Result<Vec<String>, Error> {
    let (org_id, service) = (&principal.org_id, IntegrationService::Google);
    let found = hub
        .store
        .list_integrations_of_service(org_id, service, MAX_READ);
    let found = found.await?.into_iter().map(|found| found.value);
    let mut own = found.filter(|integration| {
        let is_own = integration.owner_uid == principal.uid;
        is_own && integration.status == IntegrationStatus::Connected
    });
    match (own.next(), own.next()) {
        (Some(only), None) => Ok(only.granted_scopes),
        _ => Ok(Vec::new()),
    }
}
