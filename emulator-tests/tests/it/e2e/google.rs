//! A Google account of an organization, as consent would have left it.

use emulator_tests::{
    client::http_client,
    stubs::google::{Google, account},
};
use shared::{
    clock::{Clock, SystemClock},
    config::Env,
    connectors::{Credentials, GoogleTokens},
    ids::{IntegrationId, OrgId, Uid},
    models::{IntegrationService, Timestamp},
    store::Store,
    testing::FakeGoogleOptions,
    vault::{Connecting, Vault, VaultConfig},
};

pub(super) const REFRESH_TOKEN: &str = "refresh-1";

pub(super) async fn start_google() -> Google {
    let options = FakeGoogleOptions {
        client_secret: "client-secret".to_owned(),
        token_prefix: "token-".to_owned(),
        ..FakeGoogleOptions::default()
    };
    let google = Google::start(options).await.unwrap();
    google.oauth().grant(REFRESH_TOKEN, &account());
    google
}

/// The hub as services with these variables have it.
pub(super) fn hub(env: &Env, store: &Store) -> Vault {
    let config = VaultConfig::load_optional(env).unwrap().unwrap();
    let client = http_client().unwrap();
    let vault = config.vault(store.clone(), &client, SystemClock::shared());
    vault.unwrap()
}

/// Connects the account with an access token that ends in so many seconds.
pub(super) async fn connect(
    (vault, store): (&Vault, &Store),
    (org_id, uid): (&OrgId, &Uid),
    access_token: &str,
    seconds: i64,
) -> IntegrationId {
    let service = IntegrationService::Google;
    let connecting = Connecting {
        org_id,
        uid,
        service,
    };
    let credentials = Credentials::Google(GoogleTokens {
        access_token: access_token.into(),
        expires_at: Timestamp::from(SystemClock.now()).plus_seconds(seconds),
        refresh_token: REFRESH_TOKEN.into(),
    });
    let sealed = vault.seal_for(&connecting, &account(), &credentials).await;
    let connection = sealed.unwrap();
    let (writes, _) = vault.keep_connection(&connection).await.unwrap();
    store.commit(writes).await.unwrap();
    connection.id().clone()
}
