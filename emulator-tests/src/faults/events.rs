//! Events as Eventarc delivers them: more than once, in any order, until they are acknowledged.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use futures::StreamExt;
use serde_json::json;
use shared::{
    events::{DOCUMENT_WRITTEN, Document, encode_written},
    ids::OrgId,
    models::{JsonText, StartOptions, Timestamp, Trigger, TriggerSource, TriggerType},
    store::{document_db::Operation, triggers},
};
use tokio::sync::Semaphore;

use super::chance::Chance;
use super::fleet::Fleet;
use super::pause::pause;
use super::plan::Plan;

/// Deliveries under way at once.
const PARALLEL: usize = 50;
/// How far a delivery may fall behind later ones.
const WINDOW: usize = 100;

/// A trigger's event.
#[derive(Clone, Debug)]
pub struct Event {
    /// The trigger's id, which is also the execution's.
    pub id: String,
    /// The message.
    pub body: Vec<u8>,
}

/// Delivers events to whichever worker is up. Clones share what was acknowledged.
#[derive(Clone)]
pub struct Deliverer {
    fleet: Fleet,
    http: reqwest::Client,
    chance: Chance,
    acknowledged: Arc<Mutex<BTreeSet<String>>>,
}

impl Event {
    /// The event of a trigger that was just written.
    ///
    /// # Errors
    /// When the trigger has no document.
    pub fn of(trigger: &Trigger) -> Result<Self> {
        let write = triggers::create(trigger)?;
        let fields = match write.operation {
            Operation::Replace(fields) => fields,
            _ => anyhow::bail!("a creation replaces all fields"),
        };
        let document = Document {
            name: format!("projects/p/databases/(default)/documents/{}", write.path),
            fields,
            create_time: None,
            update_time: Some(Default::default()),
        };
        Ok(Self {
            id: trigger.id.as_str().to_owned(),
            body: encode_written(Some(document), None),
        })
    }
}

impl Deliverer {
    /// Delivers to `fleet`.
    #[must_use]
    pub fn new(fleet: Fleet, http: reqwest::Client, chance: Chance) -> Self {
        Self {
            fleet,
            http,
            chance,
            acknowledged: Arc::default(),
        }
    }

    /// Delivers each event `copies.0` to `copies.1` times, shuffled and side by side, each copy
    /// until it is acknowledged. With a pace, each delivery takes a permit from it first. Tells
    /// how many copies there were.
    pub async fn deliver(
        &self,
        events: &[Event],
        copies: (usize, usize),
        pace: Option<&Semaphore>,
    ) -> usize {
        let deliveries = self.copies(events, copies);
        let count = deliveries.len();
        futures::stream::iter(deliveries)
            .for_each_concurrent(PARALLEL, async |event| {
                if let Some(Ok(permit)) =
                    futures::future::OptionFuture::from(pace.map(Semaphore::acquire)).await
                {
                    permit.forget();
                }
                self.deliver_until_acknowledged(event).await;
            })
            .await;
        count
    }

    /// Delivers an event once to the worker at `url`; tells whether it was acknowledged.
    pub async fn deliver_once(&self, url: &str, event: &Event) -> bool {
        let request = self.http.post(url).body(event.body.clone());
        let headers = [
            ("ce-specversion", "1.0"),
            ("ce-id", &event.id),
            ("ce-type", DOCUMENT_WRITTEN),
            (
                "ce-source",
                "//firestore.googleapis.com/projects/p/databases/(default)",
            ),
            ("ce-subject", &format!("documents/triggers/{}", event.id)),
            ("ce-document", &format!("triggers/{}", event.id)),
            ("content-type", "application/protobuf"),
        ];
        let request = headers.into_iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        let answer = request.send().await;
        let is_acknowledged = answer.is_ok_and(|answer| answer.status().is_success());
        if is_acknowledged {
            self.lock().insert(event.id.clone());
        }
        is_acknowledged
    }

    /// The events that a worker has acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> BTreeSet<String> {
        self.lock().clone()
    }

    async fn deliver_until_acknowledged(&self, event: &Event) {
        loop {
            if let Some(url) = self.fleet.any()
                && self.deliver_once(&url, event).await
            {
                return;
            }
            pause(self.chance.millis(20..400)).await;
        }
    }

    fn copies<'a>(&self, events: &'a [Event], (least, most): (usize, usize)) -> Vec<&'a Event> {
        let mut deliveries = Vec::new();
        for event in events {
            let copies = least + self.chance.below(most - least + 1);
            for _ in 0..copies {
                let place = deliveries.len() + self.chance.below(WINDOW);
                deliveries.push((place, event));
            }
        }
        deliveries.sort_by_key(|(place, _)| *place);
        deliveries.into_iter().map(|(_, event)| event).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.acknowledged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The `number`th trigger of a plan.
#[must_use]
pub fn trigger(plan: &Plan, org_id: &OrgId, number: usize, now: Timestamp) -> Trigger {
    let id = format!("{}-{number:05}", plan.name);
    // Some below and some above what the plan's condition asks.
    let payload = json!({ "amount": number * 7 % 100, "number": number });
    Trigger {
        id: shared::ids::TriggerId::derive(&[&id]),
        org_id: org_id.clone(),
        workflow_id: plan.id(),
        kind: TriggerType::Manual,
        payload: JsonText(payload),
        dedupe_key: id,
        source: TriggerSource {
            function: "api".to_owned(),
            uid: None,
        },
        created_at: now,
        options: StartOptions::default(),
        traceparent: None,
    }
}
