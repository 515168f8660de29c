//! The workflows that a received mail starts.

use serde_json::{Value, json};
use shared::{
    arrivals::MailConditions,
    ids::{TriggerId, WorkflowId},
    models::{StartOptions, Trigger, TriggerSource, TriggerType},
    store::{self, Page},
    telemetry,
    vault::RawMail,
};

use crate::{leg::Leg, text::MailText};

/// Workflows that are read at once; each may hold a graph of a megabyte.
const PAGE: u32 = 20;

/// Characters of a mail that a run is given at most: a trigger may hold 256 kB.
const MAX_TEXT_CHARS: usize = 20_000;

/// Items of a list that a run is given at most, and characters of each.
const MAX_ITEMS: usize = 50;
const MAX_ITEM_CHARS: usize = 500;

/// The workflows of an organization that wait for mail, and for which.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Vec<(WorkflowId, Vec<MailConditions>)>);

impl Waiting {
    /// The active workflows of the leg's organization; none unless who has connected the account
    /// has allowed it: any editor can write one, which would be shown all mail.
    pub(crate) async fn of(leg: &Leg<'_>) -> Result<Self, store::Error> {
        if !leg.allows_triggers {
            return Ok(Self::default());
        }
        let (mut waiting, mut page) = (Vec::new(), Page::first(PAGE));
        loop {
            let store = &leg.app.store;
            let found = store.list_active_workflows_of(leg.org_id(), &page).await?;
            for workflow in found.items {
                let conditions: Vec<_> = MailConditions::of_workflow(&workflow.triggers).collect();
                if !conditions.is_empty() {
                    waiting.push((workflow.id, conditions));
                }
            }
            page.after = found.next;
            if page.after.is_none() {
                return Ok(Self(waiting));
            }
        }
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What starts those workflows that wait for this mail: one for each, whoever sees the mail how
    /// often.
    pub(crate) fn triggers(&self, leg: &Leg<'_>, mail: &RawMail, text: &MailText) -> Vec<Trigger> {
        let is_received = has(mail, "INBOX") && !has(mail, "SENT") && !has(mail, "DRAFT");
        if !is_received {
            return Vec::new();
        }
        let payload = payload(leg, mail, text);
        let is_wanted = |conditions: &[MailConditions]| {
            conditions
                .iter()
                .any(|conditions| conditions.hold(&payload))
        };
        let wanted = self
            .0
            .iter()
            .filter(|(_, conditions)| is_wanted(conditions));
        wanted
            .map(|(workflow_id, _)| trigger(leg, workflow_id, mail, &payload))
            .collect()
    }
}

/// Whether a mail has a label.
pub(crate) fn has(mail: &RawMail, label: &str) -> bool {
    mail.labels.iter().any(|own| own == label)
}

fn trigger(leg: &Leg<'_>, workflow_id: &WorkflowId, mail: &RawMail, payload: &Value) -> Trigger {
    let id = TriggerId::derive(&[
        "mail",
        leg.org_id().as_str(),
        workflow_id.as_str(),
        leg.integration_id().as_str(),
        &mail.id,
    ]);
    Trigger {
        dedupe_key: id.as_str().to_owned(),
        id,
        org_id: leg.org_id().clone(),
        workflow_id: workflow_id.clone(),
        kind: TriggerType::OnEmailReceived,
        payload: payload.clone().into(),
        source: TriggerSource {
            function: crate::CALLER.function.to_owned(),
            uid: Some(leg.owner_uid.clone()),
        },
        created_at: leg.app.now(),
        options: StartOptions::default(),
        traceparent: telemetry::traceparent(),
    }
}

fn payload(leg: &Leg<'_>, mail: &RawMail, text: &MailText) -> Value {
    let attachments = text.attachments.iter().take(MAX_ITEMS).map(|attachment| {
        json!({
            "name": shortened(&attachment.name, MAX_ITEM_CHARS),
            "mimeType": shortened(&attachment.mime_type, MAX_ITEM_CHARS),
            "bytes": attachment.bytes,
        })
    });
    let to = text.to.iter().take(MAX_ITEMS);
    let to = to.map(|address| shortened(address, MAX_ITEM_CHARS));
    json!({
        "messageId": mail.id,
        "threadId": mail.thread_id,
        "from": shortened(&text.from, MAX_ITEM_CHARS),
        "to": to.collect::<Vec<_>>(),
        "subject": shortened(&text.subject, MAX_ITEM_CHARS),
        "date": mail.received_at.to_string(),
        "text": shortened(&text.text, MAX_TEXT_CHARS),
        "labels": mail.labels,
        "integrationId": leg.integration_id(),
        "attachments": attachments.collect::<Vec<_>>(),
    })
}

/// The beginning of a text.
pub(crate) fn shortened(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}
