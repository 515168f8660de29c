//! The function on the embedded Firestore, called as Pub/Sub calls it.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use axum::{Router, body::Body, extract::Request};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;
use shared::{
    clock::SystemClock,
    config::{Env, ServiceConfig},
    http::ServiceCallers,
    ids::{IntegrationId, OrgId, Uid},
    models::{Integration, IntegrationService},
    store::{Store, firestore::Firestore, integrations},
    testing::{RecordingTopic, integration, metered_llm},
    topic::{Message, SyncDue},
};
use sync_google_workspace::{AppState, Ports, Settings, router};
use tower::ServiceExt;

use super::{PROJECT_ID, accounts::Accounts, vectors::Vectors};
use crate::bench::tenant;

/// What hangs is given up soon: how long that takes is not measured.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct Service {
    router: Router,
    pub(super) store: Store,
    topic: Arc<RecordingTopic>,
}

impl Service {
    /// The function on the database at `host`, and these accounts.
    pub(super) fn new(host: &str, accounts: Accounts) -> Result<Self> {
        let env = Env::from_pairs([
            ("GOOGLE_CLOUD_PROJECT", PROJECT_ID),
            ("FIRESTORE_EMULATOR_HOST", host),
        ]);
        let store = Store::new(Arc::new(Firestore::new(&ServiceConfig::load(&env)?)));
        let (topic, clock) = (Arc::new(RecordingTopic::new()), SystemClock::shared());
        let ports = Ports {
            workspace: Arc::new(accounts),
            llm: metered_llm(Arc::new(Vectors), store.clone(), clock.clone()),
            topic: Some(topic.shared()),
            mail_push: None,
        };
        let settings = Settings {
            call_timeout: CALL_TIMEOUT,
            ..Settings::default()
        };
        let callers = ServiceCallers::unchecked();
        let state = AppState::with_ports(store.clone(), ports, settings, clock, callers);
        Ok(Self {
            router: router(state),
            store,
            topic,
        })
    }

    /// Connects the account of a number, in an organization of its own.
    pub(super) async fn connect(&self, number: usize) -> Result<()> {
        let org_id = org_of(number)?;
        let uid = Uid::parse(org_id.as_str()).context("no uid")?;
        tenant::settle(&self.store, &org_id, &uid).await?;
        let integration = Integration {
            id: integration_of(number),
            org_id,
            ..integration("any", uid.as_str(), IntegrationService::Google)
        };
        let writes = integrations::create(&integration)?;
        self.store.commit(writes.into()).await?;
        Ok(())
    }

    /// Syncs the account of a number to its end.
    pub(super) async fn sync(&self, number: usize) -> Result<()> {
        let due = SyncDue {
            integration_id: integration_of(number),
            org_id: org_of(number)?,
        };
        let mut messages = vec![due.message()?];
        while let Some(message) = messages.pop() {
            self.deliver(&message).await?;
            messages.extend(self.topic.take());
        }
        Ok(())
    }

    /// What a tick tells.
    pub(super) async fn tick(&self) -> Result<Vec<Message>> {
        let tick = Message {
            data: b"{}".to_vec(),
            attributes: [(SyncDue::ATTRIBUTE.to_owned(), "tick".to_owned())].into(),
        };
        self.deliver(&tick).await?;
        Ok(self.topic.take())
    }

    pub(super) async fn deliver(&self, message: &Message) -> Result<()> {
        let push = json!({
            "subscription": "projects/p/subscriptions/workspace-sync",
            "message": {
                "messageId": "m1",
                "publishTime": "2026-11-27T12:00:00Z",
                "attributes": message.attributes,
                "data": BASE64_STANDARD.encode(&message.data),
            },
        });
        let request = Request::post("/").header("content-type", "application/json");
        let request = request.body(Body::from(push.to_string()))?;
        let status = self.router.clone().oneshot(request).await?.status();
        ensure!(status == 204, "{status}");
        Ok(())
    }
}

pub(super) fn org_of(number: usize) -> Result<OrgId> {
    OrgId::parse(format!("o{number}")).context("no organization")
}

pub(super) fn integration_of(number: usize) -> IntegrationId {
    IntegrationId::derive(&[&number.to_string()])
}
