//! Has Gmail tell at once that a mailbox has changed.

use secrecy::{ExposeSecret, SecretString};
use shared::crypto;

use crate::{AppState, leg::Leg, stop::Stop};

/// A watch ends after 7 days (<https://developers.google.com/workspace/gmail/api/guides/push>); this
/// long before its end it is renewed, in seconds.
const EARLY_SECS: i64 = 2 * 24 * 3_600;

/// Asks Gmail to tell of changes, if that is configured and not done. Without it changes come with
/// the next tick: it is no reason to fail.
pub(crate) async fn watch(leg: &mut Leg<'_>) -> Result<(), Stop> {
    let Some(push) = &leg.app.mail_push else {
        return Ok(());
    };
    let due = leg.app.now().plus_seconds(EARLY_SECS);
    if leg.state.watched_until.is_some_and(|until| until > due) {
        return Ok(());
    }
    let (workspace, account) = (&leg.app.workspace, &leg.account);
    let asked = async {
        let mailbox = leg.ask(workspace.mailbox(account)).await?;
        let watch = leg.ask(workspace.watch_mailbox(account, &push.topic));
        Ok::<_, Stop>((mailbox.address, watch.await?.expires_at))
    };
    let (address, expires_at) = match asked.await {
        Ok(watched) => watched,
        Err(Stop::Failed(failure)) => {
            let (id, cause) = (leg.integration_id(), failure.cause);
            tracing::warn!(integration.id = %id, cause, "mailbox is not watched");
            return Ok(());
        }
        Err(stop) => return Err(stop),
    };
    let hash = match address_hash(leg.app, &address).await {
        Ok(hash) => hash,
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "mailbox is not watched");
            return Ok(());
        }
    };
    leg.commit(Vec::new(), |state| {
        state.address_hash.clone_from(&hash);
        state.watched_until = Some(expires_at);
    })
    .await
}

/// By what a mailbox is found again when Gmail tells of it; none where that is not configured.
pub(crate) async fn address_hash(
    app: &AppState,
    address: &SecretString,
) -> Result<Option<String>, crypto::Error> {
    let Some(push) = &app.mail_push else {
        return Ok(None);
    };
    let address = address.expose_secret().to_lowercase();
    let message = crypto::message(&[b"mailbox", address.as_bytes()]);
    let tag = push.key.sign(&message).await?;
    Ok(Some(hex::encode(tag.expose_secret())))
}
