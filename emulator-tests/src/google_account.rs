//! Connecting the local Google account, as a browser and a front end do it together.

use std::{collections::HashMap, time::Duration};

use anyhow::{Context, Result, ensure};
use reqwest::{Response, header::LOCATION, redirect::Policy};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use crate::client::Client;

/// Pause between two looks at a sync.
const POLL: Duration = Duration::from_millis(100);

/// Connects the account, with all that is asked for, and tells the integration's id.
///
/// # Errors
/// Returns the first step that was refused.
pub async fn connect(client: &Client) -> Result<String> {
    let asked = client.post("/integrations/google/auth", &json!({})).await?;
    let page = Url::parse(text(&asked, "authorizationUrl")?)?;
    let browser = reqwest::Client::builder().no_proxy();
    let browser = browser.redirect(Policy::none()).build()?;
    browser.get(page.clone()).send().await?.error_for_status()?;
    let (_, scopes) = page
        .query_pairs()
        .find(|(name, _)| name == "scope")
        .context("no scopes are asked for")?;
    let ticked = scopes.split(' ').map(|scope| ("scope", scope));
    let form: Vec<_> = ticked.chain([("decision", "allow")]).collect();
    let decided = browser.post(page.clone()).form(&form).send().await?;
    let handed_over = browser.get(location(&decided)?).send().await?;
    let back = Url::parse(&location(&handed_over)?)?;
    let brought = back.fragment().context("nothing was brought back")?;
    let brought: HashMap<_, _> = form_urlencoded::parse(brought.as_bytes())
        .into_owned()
        .collect();
    let done = client
        .post("/integrations/google/callback", &json!(brought))
        .await?;
    ensure!(done["status"] == "connected", "not connected: {done}");
    Ok(text(&done, "integrationId")?.to_owned())
}

/// Waits until mails and files were looked at as a whole; tells each look at the sync's status.
///
/// # Errors
/// Returns why the sync goes on no further.
pub async fn wait_for_sync(
    client: &Client,
    integration_id: &str,
    tell: &mut (dyn FnMut(&Value) + Send),
) -> Result<Value> {
    let mut interval = tokio::time::interval(POLL);
    loop {
        interval.tick().await;
        let status = client
            .get(&format!("/integrations/{integration_id}/sync"))
            .await?;
        tell(&status);
        let legs = [&status["gmail"], &status["drive"]];
        for leg in legs {
            ensure!(leg["error"].is_null(), "the sync stopped: {}", leg["error"]);
        }
        if legs.iter().all(|leg| !leg["cursorAgeSeconds"].is_null()) {
            return Ok(status);
        }
    }
}

fn location(response: &Response) -> Result<String> {
    let status = response.status();
    ensure!(
        status.is_redirection(),
        "{} answered {status}",
        response.url().path()
    );
    let location = response.headers().get(LOCATION);
    let location = location.context("no address to go on to")?;
    Ok(location.to_str()?.to_owned())
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    let text = value[field].as_str();
    text.with_context(|| format!("no `{field}` in {value}"))
}
