//! Brings an account to what is needed, one call after another.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;
use secrecy::SecretString;
use serde::Deserialize;
use shared::{ids::RecordId, stripe::StripeClient};

use crate::{
    change::{Change, Row},
    desired::Desired,
    live::Account,
    portal, report,
    review::review,
    secret_file::SecretFile,
};

/// Far more calls than there are things to make.
const MAX_CHANGES: usize = 200;

/// What Stripe tells of what it has made.
#[derive(Deserialize)]
struct Made {
    /// Only of a webhook endpoint, and only once.
    secret: Option<SecretString>,
}

/// Makes the first thing that is not as it is needed, then looks at the account anew: whatever a
/// run that died has left is taken up where it is.
pub(crate) async fn apply(
    stripe: &StripeClient,
    desired: &Desired,
    secret_file: Option<&Path>,
) -> Result<Vec<Row>> {
    let secret_file = secret_file.map(SecretFile::create).transpose()?;
    let mut secret_file = secret_file;
    let progress = ProgressBar::new_spinner();
    progress.enable_steady_tick(Duration::from_millis(100));
    let run = RecordId::generate();
    for number in 0..MAX_CHANGES {
        let account = Account::load(stripe)
            .await
            .context("the account cannot be read")?;
        let rows = review(desired, &account);
        let next = rows.iter().find_map(|row| Some((row, row.change()?)));
        let Some((row, change)) = next else {
            progress.finish_and_clear();
            if let Some(id) = portal::id(&account) {
                report::tell(&format!("STRIPE_PORTAL_CONFIGURATION={id}"));
            }
            return Ok(rows);
        };
        progress.set_message(row.name.clone());
        let key = format!("setup-{run}-{number}");
        let made = perform(stripe, change, &key).await;
        let made = made.with_context(|| format!("{} cannot be made", row.name))?;
        if let Some(secret) = made.secret {
            keep(secret, secret_file.take())?;
        }
    }
    bail!("the account does not come to what is needed: does another run change it?")
}

async fn perform(stripe: &StripeClient, change: &Change, key: &str) -> Result<Made> {
    Ok(stripe.write(&change.path, &change.form, key).await?)
}

fn keep(secret: SecretString, file: Option<SecretFile>) -> Result<()> {
    match file {
        Some(file) => file.keep(&secret),
        None => {
            report::tell("The endpoint's signing secret is in Stripe's dashboard.");
            Ok(())
        }
    }
}
