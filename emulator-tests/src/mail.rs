//! A mail comes in, and an agent answers it from what was synced of a Google account.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Method;
use serde_json::{Value, json};
use shared::{
    config::ServiceConfig,
    ids::OrgId,
    models::SubscriptionTier,
    store::{Store, firestore::Firestore, organizations},
};

use crate::{
    Harness,
    client::{Client, http_client, send},
    demo::{self, Tell},
    google_account::{connect, wait_for_sync},
};

/// The workflow that a mail starts; its agent is named when there is one.
pub const WORKFLOW: &str = include_str!("../../examples/mail-from-knowledge.json");
/// What stands for the agent in it.
const AGENT_ID: &str = "AGENT_ID";

/// Pause between two looks for the run.
const POLL: Duration = Duration::from_millis(100);

/// A mail that somebody writes to the connected account.
#[derive(Clone, Copy, Debug)]
pub struct Mail<'a> {
    /// The sender.
    pub from: &'a str,
    /// The subject.
    pub subject: &'a str,
    /// What is asked.
    pub text: &'a str,
}

/// The mail of the demo.
pub const QUESTION: Mail<'_> = Mail {
    from: "Mary Somerville <mary@example.org>",
    subject: "Delivery to Vienna",
    text: "Hello, how long does standard delivery within the European Union take?",
};

/// Somebody with a connected account, and an agent that answers its mail.
pub struct Desk {
    client: Client,
    google_url: String,
    integration_id: String,
    workflow_id: String,
}

impl Desk {
    /// Signs a new user up on a plan with Google Workspace, connects the local account and waits
    /// for its first sync, and saves the workflow with an agent that may search.
    ///
    /// # Errors
    /// Returns the first call that was refused.
    pub async fn open(harness: &Harness, tell: Tell<'_>) -> Result<Self> {
        let google_url = harness.endpoints().google_url.clone();
        let google_url = google_url.context("`--mail` needs the local Google")?;
        let client = Client::sign_up(harness.endpoints()).await?;
        subscribe(harness, &client).await?;
        let integration_id = connect(&client).await?;
        tell(&format!("connected ada@example.com as {integration_id}"));
        let synced = sync_with_bar(&client, &integration_id).await?;
        let documents = |leg: &str| synced[leg]["counts"]["documents"].clone();
        tell(&format!(
            "synced {} mails and {} files",
            documents("gmail"),
            documents("drive")
        ));
        let path = format!("/integrations/{integration_id}");
        let allowed = json!({ "allowsTriggers": true });
        send(client.request(Method::PATCH, &path).json(&allowed))
            .await?
            .require_success()?;
        tell("its mail may start workflows");
        let agent_id = create_agent(&client).await?;
        tell(&format!("agent {agent_id} deployed, may search"));
        let workflow = WORKFLOW.replace(AGENT_ID, &agent_id);
        let workflow = serde_json::from_str(&workflow)?;
        let workflow_id = demo::create_workflow(&client, &workflow).await?;
        tell(&format!("workflow {workflow_id} waits for mail"));
        Ok(Self {
            client,
            google_url,
            integration_id,
            workflow_id,
        })
    }

    /// The person.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The connected account.
    #[must_use]
    pub fn integration_id(&self) -> &str {
        &self.integration_id
    }

    /// Has the mail come in, and tells its id at Google.
    ///
    /// # Errors
    /// Returns a failed connection or an error status.
    pub async fn deliver(&self, mail: Mail<'_>) -> Result<String> {
        let Mail {
            from,
            subject,
            text,
        } = mail;
        let body = json!({ "from": from, "subject": subject, "text": text });
        let url = format!("{}/_local/mails", self.google_url);
        let made = send(http_client()?.post(url).json(&body)).await?;
        let made = made.require_success()?;
        let id = made["id"].as_str();
        Ok(id.context("the mail has no id")?.to_owned())
    }

    /// The run that the only mail so far has started, once it has ended; tells its log.
    ///
    /// # Errors
    /// Returns a call that was refused, or how else the run ended.
    pub async fn follow(&self, tell: Tell<'_>) -> Result<Value> {
        let mut interval = tokio::time::interval(POLL);
        let path = format!("/executions?workflowId={}", self.workflow_id);
        let execution_id = loop {
            interval.tick().await;
            let listed = self.client.get(&path).await?;
            if let Some(id) = listed["items"][0]["id"].as_str() {
                break id.to_owned();
            }
        };
        let execution = demo::follow(&self.client, &execution_id, tell).await?;
        ensure!(
            execution["status"] == "succeeded",
            "the execution ended {}: {}",
            execution["status"],
            execution["error"]
        );
        Ok(execution)
    }
}

/// An answer with what it cites, for people.
#[must_use]
pub fn picture(output: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("–").to_owned();
    let mut lines = vec![text(&output["answer"])];
    for citation in output["citations"].as_array().into_iter().flatten() {
        lines.push(format!(
            "  [{}] {} · {} · {} · {}",
            citation["number"],
            text(&citation["source"]),
            text(&citation["title"]),
            text(&citation["link"]),
            text(&citation["date"]),
        ));
    }
    lines.join("\n")
}

/// Puts the user's organization on a plan with Google Workspace, as a subscription does.
///
/// # Errors
/// Returns why it is not there or cannot be changed.
pub async fn subscribe(harness: &Harness, client: &Client) -> Result<()> {
    let me = client.get("/me").await?;
    let org_id = me["organizationId"].as_str();
    let org_id = OrgId::parse(org_id.context("no organization")?)?;
    let config = ServiceConfig::load(harness.env())?;
    let store = Store::new(Arc::new(Firestore::new(&config)));
    let found = store.find_organization(&org_id).await?;
    let mut organization = found.context("no organization")?;
    organization.value.subscription_tier = SubscriptionTier::Pro;
    store
        .commit(vec![organizations::replace(&organization)?])
        .await?;
    Ok(())
}

/// The first sync as a bar: what is done of what is known to be there.
async fn sync_with_bar(client: &Client, integration_id: &str) -> Result<Value> {
    let style = ProgressStyle::with_template("{bar:24} {pos}/{len} synced")?;
    let bar = ProgressBar::new(0).with_style(style);
    let mut tell = |status: &Value| {
        let sum = |field: fn(&Value) -> &Value| -> u64 {
            let legs = [&status["gmail"], &status["drive"]];
            legs.iter().filter_map(|leg| field(leg).as_u64()).sum()
        };
        let done = sum(|leg| &leg["counts"]["documents"]);
        bar.set_length(done + sum(|leg| &leg["pending"]));
        bar.set_position(done);
    };
    let synced = wait_for_sync(client, integration_id, &mut tell).await;
    bar.finish_and_clear();
    synced
}

async fn create_agent(client: &Client) -> Result<String> {
    let prompt = "You answer mail from what the company has written down, and from nothing else.";
    let id = demo::create_agent(client, &["knowledge.search"], prompt).await?;
    client.call("deployAgent", json!({ "agentId": id })).await?;
    Ok(id)
}
