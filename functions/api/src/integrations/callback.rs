use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use shared::{
    auth::{Action, is_allowed},
    connectors::{
        Account, Credentials, GoogleTokens,
        google::oauth::{self, Granted},
    },
    models::{AuditAction, IntegrationService, OAuthState, Principal, Timestamp},
    retry::Transient,
    store::{commit_contended, oauth_states},
    vault::{self, Connecting, Connection},
};
use url::Url;

use super::{Hub, consent, entry, features};
use crate::error::Error;

/// What comes back with the user's browser. Nothing of it is trusted but through the state.
pub(crate) struct Return {
    pub(crate) state: Option<SecretString>,
    pub(crate) code: Option<SecretString>,
    pub(crate) error: Option<String>,
}

/// Why an account was not connected, as a code for the page that the user comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    InvalidState,
    Expired,
    AccessDenied,
    NotAllowed,
    InvalidCode,
    NothingGranted,
    NoRefreshToken,
    Unavailable,
    Internal,
}

/// Where the browser goes next.
enum Next {
    Connected { missing: Vec<String> },
    AskAgain(Url),
}

/// Finishes what [`super::begin_google_consent`] has begun, and tells where the browser goes: to
/// the page of the integrations with what came of it, or to Google once more.
pub(crate) async fn finish_google_consent(hub: &Hub, back: &Return, now: Timestamp) -> String {
    let page = hub.app_url.integrations();
    match finish(hub, back, now).await {
        Ok(Next::AskAgain(url)) => url.into(),
        Ok(Next::Connected { missing }) if missing.is_empty() => {
            format!("{page}?status=connected")
        }
        Ok(Next::Connected { missing }) => {
            let missing = missing.join(" ");
            let missing: String =
                url::form_urlencoded::byte_serialize(missing.as_bytes()).collect();
            format!("{page}?status=connected&missing={missing}")
        }
        Err(failure) => format!("{page}?error={failure}"),
    }
}

async fn finish(hub: &Hub, back: &Return, now: Timestamp) -> Result<Next, Failure> {
    let token = back.state.as_ref().ok_or(Failure::InvalidState)?;
    let state = use_up(hub, token, now).await?;
    let principal = require_member(hub, &state).await?;
    let code = match (&back.error, &back.code) {
        (None, Some(code)) => code,
        (Some(error), _) if error == "access_denied" => return Err(Failure::AccessDenied),
        _ => return Err(Failure::InvalidCode),
    };
    let code_verifier = hub.code_verifier(token.expose_secret()).await?;
    let granted = hub.google()?.exchange(code, &code_verifier).await?;
    if !features::grants_a_feature(&granted.scopes) {
        return Err(Failure::NothingGranted);
    }
    let missing = features::missing(&state.scopes, &granted.scopes);
    match seal(hub, &principal, granted).await? {
        Some(connection) => keep(hub, &principal, &connection, now).await?,
        None if state.is_new_consent => return Err(Failure::NoRefreshToken),
        None => {
            let asked = consent::ask(hub, &principal, state.scopes, true, now).await?;
            return Ok(Next::AskAgain(asked.url));
        }
    }
    Ok(Next::Connected { missing })
}

/// The state of the token, which is good for nothing from now on.
async fn use_up(hub: &Hub, token: &SecretString, now: Timestamp) -> Result<OAuthState, Failure> {
    let hash = consent::state_hash(token.expose_secret());
    let found = hub.store.find_oauth_state(&hash).await?;
    let state = found.ok_or(Failure::InvalidState)?;
    let used = hub.store.commit(vec![oauth_states::delete(&hash, &state)]);
    match used.await {
        Ok(_) => {}
        Err(error) if error.is_lost_race() => return Err(Failure::InvalidState),
        Err(error) => return Err(error.into()),
    }
    match now < state.value.expires_at {
        true => Ok(state.value),
        false => Err(Failure::Expired),
    }
}

/// Who has begun, if it is still where it was and may still do it.
async fn require_member(hub: &Hub, state: &OAuthState) -> Result<Principal, Failure> {
    let member = hub.store.find_member(&state.org_id, &state.uid).await?;
    let member = member.filter(|member| {
        let role = member.value.role;
        !member.value.disabled && is_allowed(role, Action::ConnectIntegration)
    });
    let member = member.ok_or(Failure::NotAllowed)?.value;
    let principal = Principal {
        uid: member.uid,
        org_id: member.organization_id,
        role: member.role,
    };
    consent::require_workspace(hub, &principal).await?;
    Ok(principal)
}

/// The connection to keep; none when there is no refresh token, neither a new one nor a stored one
/// of the same account.
async fn seal(
    hub: &Hub,
    principal: &Principal,
    granted: Granted,
) -> Result<Option<Connection>, Failure> {
    let vault = hub.vault()?;
    let connecting = Connecting {
        org_id: &principal.org_id,
        uid: &principal.uid,
        service: IntegrationService::Google,
    };
    let mut tokens = GoogleTokens {
        access_token: granted.access_token,
        expires_at: granted.expires_at,
        refresh_token: granted.refresh_token.clone().unwrap_or_default(),
    };
    let unfinished = Credentials::Google(tokens.clone());
    let checked = vault.check(connecting.service, &unfinished);
    let account = Account {
        scopes: granted.scopes,
        ..checked.await?
    };
    if granted.refresh_token.is_none() {
        let held = vault.held_credentials(&connecting, &account).await?;
        let Some(Credentials::Google(held)) = held else {
            return Ok(None);
        };
        tokens.refresh_token = held.refresh_token;
    }
    let credentials = Credentials::Google(tokens);
    let sealed = vault.seal_for(&connecting, &account, &credentials);
    Ok(Some(sealed.await?))
}

async fn keep(
    hub: &Hub,
    principal: &Principal,
    connection: &Connection,
    now: Timestamp,
) -> Result<(), Failure> {
    let kept = commit_contended(&hub.store, || async move {
        let (mut writes, before) = hub.vault()?.keep_connection(connection).await?;
        let action = match before {
            Some(_) => AuditAction::IntegrationReconnect,
            None => AuditAction::IntegrationConnect,
        };
        let (org_id, uid) = (&principal.org_id, &principal.uid);
        let service = IntegrationService::Google;
        let entry = entry(org_id, uid, action, connection.id(), service);
        writes.extend(hub.trail.append(entry, now).await?);
        Ok::<_, Error>((writes, ()))
    });
    Ok(kept.await?)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidState => "invalid_state",
            Self::Expired => "expired",
            Self::AccessDenied => "access_denied",
            Self::NotAllowed => "not_allowed",
            Self::InvalidCode => "invalid_code",
            Self::NothingGranted => "nothing_granted",
            Self::NoRefreshToken => "no_refresh_token",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        })
    }
}

impl From<oauth::Error> for Failure {
    fn from(error: oauth::Error) -> Self {
        match error {
            oauth::Error::InvalidGrant(_) => Self::InvalidCode,
            error => vault::Error::from(error).into(),
        }
    }
}

impl From<vault::Error> for Failure {
    fn from(error: vault::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<shared::store::Error> for Failure {
    fn from(error: shared::store::Error) -> Self {
        Error::from(error).into()
    }
}

/// The page is told a code only, the log what has failed.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let is_transient = match &error {
            Error::Precondition(_) | Error::NotFound(_) => return Self::NotAllowed,
            Error::Store(error) => error.is_transient() || error.is_lost_race(),
            Error::Audit(error) => error.is_transient() || error.is_lost_race(),
            Error::Dependency(error) => error.is_transient(),
            _ => false,
        };
        let error = &error as &dyn std::error::Error;
        tracing::error!(error, "an account was not connected");
        match is_transient {
            true => Self::Unavailable,
            false => Self::Internal,
        }
    }
}
