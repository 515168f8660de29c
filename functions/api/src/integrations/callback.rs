use secrecy::{ExposeSecret, SecretString};
use shared::{
    connectors::{
        Account, Credentials, GoogleTokens,
        google::oauth::{self, Granted},
    },
    ids::IntegrationId,
    models::{IntegrationService, OAuthState, Principal, Timestamp},
    store::{self, commit_contended, oauth_states},
    vault::{self, Connecting, Connection},
};

use super::{
    Hub,
    consent::{self, Consent},
    features, keep,
};
use crate::error::Error;

/// What has come back from Google with the user's browser.
pub(crate) struct Return {
    pub(crate) state: SecretString,
    /// The code, or the error that is there instead.
    pub(crate) code: Result<SecretString, SecretString>,
}

/// What has come of a consent.
pub(crate) enum Finished {
    /// The account is connected.
    Connected {
        integration_id: IntegrationId,
        /// What was asked for and not granted.
        missing: Vec<String>,
    },
    /// The user is to be asked once more.
    AskAgain(Consent),
}

/// Why an account was not connected.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfinished {
    /// Unknown, used, or begun by somebody else, which is not to be told apart.
    #[error("must be that of a consent that you have begun, and is good once")]
    InvalidState,
    #[error("has expired: begin anew")]
    Expired,
    #[error("the user has not agreed")]
    AccessDenied,
    #[error("must be what Google has given for this state")]
    InvalidCode,
    #[error("nothing was granted but to know who the user is")]
    NothingGranted,
    #[error("Google has given no refresh token")]
    NoRefreshToken,
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Finishes what the same caller has begun with [`super::begin_google_consent`].
pub(crate) async fn finish_google_consent(
    hub: &Hub,
    principal: &Principal,
    back: &Return,
    now: Timestamp,
) -> Result<Finished, Unfinished> {
    let token = &back.state;
    let state = use_up(hub, principal, token, now).await?;
    let code = match &back.code {
        Ok(code) => code,
        Err(error) if error.expose_secret() == "access_denied" => {
            return Err(Unfinished::AccessDenied);
        }
        Err(_) => return Err(Unfinished::InvalidCode),
    };
    consent::require_workspace(hub, principal).await?;
    let code_verifier = hub.code_verifier(token.expose_secret()).await?;
    let granted = hub.google()?.exchange(code, &code_verifier).await?;
    if !features::grants_a_feature(&granted.scopes) {
        return Err(Unfinished::NothingGranted);
    }
    let missing = features::missing(&state.scopes, &granted.scopes);
    match seal(hub, principal, granted).await? {
        Some(connection) => {
            let connection = &connection;
            let kept = commit_contended(&hub.store, || keep(hub, principal, connection, now));
            Ok(Finished::Connected {
                integration_id: kept.await?.id,
                missing,
            })
        }
        None if state.is_new_consent => Err(Unfinished::NoRefreshToken),
        None => {
            let asked = consent::ask(hub, principal, state.scopes, true, now).await?;
            Ok(Finished::AskAgain(asked))
        }
    }
}

/// The caller's state of the token, which is good for nothing from now on. Somebody else's stays.
async fn use_up(
    hub: &Hub,
    principal: &Principal,
    token: &SecretString,
    now: Timestamp,
) -> Result<OAuthState, Unfinished> {
    let hash = consent::state_hash(token.expose_secret());
    let found = hub.store.find_oauth_state(&hash).await?;
    let own = found.filter(|found| {
        let state = &found.value;
        state.uid == principal.uid && state.org_id == principal.org_id
    });
    let state = own.ok_or(Unfinished::InvalidState)?;
    let used = hub.store.commit(vec![oauth_states::delete(&hash, &state)]);
    match used.await {
        Ok(_) => {}
        Err(error) if error.is_lost_race() => return Err(Unfinished::InvalidState),
        Err(error) => return Err(error.into()),
    }
    match now < state.value.expires_at {
        true => Ok(state.value),
        false => Err(Unfinished::Expired),
    }
}

/// The connection to keep; none when there is no refresh token, neither a new one nor a stored one
/// of the same account.
async fn seal(
    hub: &Hub,
    principal: &Principal,
    granted: Granted,
) -> Result<Option<Connection>, Error> {
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

impl Unfinished {
    /// The same as a code that stays.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        match self {
            Self::InvalidState => Some("invalid_state"),
            Self::Expired => Some("expired"),
            Self::AccessDenied => Some("access_denied"),
            Self::InvalidCode => Some("invalid_code"),
            Self::NothingGranted => Some("nothing_granted"),
            Self::NoRefreshToken => Some("no_refresh_token"),
            Self::Failed(_) => None,
        }
    }
}

impl From<oauth::Error> for Unfinished {
    fn from(error: oauth::Error) -> Self {
        match error {
            oauth::Error::InvalidGrant(_) => Self::InvalidCode,
            error => Self::Failed(vault::Error::from(error).into()),
        }
    }
}

impl From<store::Error> for Unfinished {
    fn from(error: store::Error) -> Self {
        Self::Failed(error.into())
    }
}
