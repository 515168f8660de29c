//! Addresses at which the outside starts a workflow.

mod keys;
mod signature;

use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use shared::{
    audit::{self, Entry, Trail},
    crypto,
    ids::{OrgId, WorkflowId},
    models::{AuditAction, Principal, StartOptions, Timestamp, Trigger, TriggerType},
    store::{self, Store},
};

pub(crate) use self::{keys::HookKeys, signature::Signed};
use crate::{
    CALLER,
    error::{Error, Problem, Refusal},
    idempotency::{Done, Once},
    start::{Draft, Started, find_started, require_depth},
    trigger_declaration::{self, Webhook},
    workflows,
};

/// Longest payload as JSON, in bytes: the largest body, which JSON makes longer, and what is around
/// it.
const MAX_PAYLOAD_BYTES: usize = 272_000;

/// What a sender is told of a webhook, whatever is wrong with the address.
const NO_HOOK: Error = Error::NotFound("resource");

/// Where a request was sent to.
pub(crate) struct Address<'a> {
    pub(crate) workflow_id: &'a str,
    pub(crate) hook_id: &'a str,
    /// What only those know who were told.
    pub(crate) token: &'a str,
}

/// A webhook that stands at the address of a request.
pub(crate) struct Hook {
    org_id: OrgId,
    workflow_id: WorkflowId,
    id: String,
    /// What requests have to be signed with.
    secret: Option<keys::Secret>,
}

/// What was sent.
pub(crate) struct Delivery {
    /// Equal for repeats of the same event.
    pub(crate) key: Option<String>,
    pub(crate) body: Value,
    pub(crate) query: Value,
    pub(crate) headers: Value,
}

/// A webhook as the people who use it see it.
pub(crate) struct Known {
    pub(crate) id: String,
    /// Below the routes' prefix.
    pub(crate) path: String,
    /// What requests have to be signed with, if they have to.
    pub(crate) secret: Option<SecretString>,
}

/// The webhooks of the caller's workflow; that they are looked at is recorded before.
pub(crate) async fn list(
    store: &Store,
    trail: &Trail,
    keys: &HookKeys,
    principal: &Principal,
    workflow_id: &WorkflowId,
    now: Timestamp,
) -> Result<Vec<Known>, Error> {
    let workflow = workflows::find(store, principal, workflow_id).await?.value;
    let context = json!({ "workflowId": workflow_id, "of": "webhooks" });
    let (org_id, actor_id) = (&principal.org_id, principal.uid.as_str());
    let entry = Entry::new(org_id, actor_id, AuditAction::KeyView, context);
    trail.record(entry, now).await?;
    let keys = keys.of(org_id).await.map_err(key_error)?;
    let webhooks = trigger_declaration::webhooks(&workflow.triggers);
    let known = webhooks.map(|Webhook { id, signature }| {
        let token = keys.token(workflow_id, &id);
        let secret = keys.secret(workflow_id, &id);
        Known {
            path: format!("/hooks/{workflow_id}/{id}/{}", token.expose_secret()),
            secret: signature.map(|_| {
                let text = STANDARD.encode(secret.expose_secret());
                format!("whsec_{text}").into()
            }),
            id,
        }
    });
    Ok(known.collect())
}

/// The webhook at the address. One that is not declared, of a workflow that is not active, or with
/// another token, is not there.
pub(crate) async fn find(
    store: &Store,
    keys: &HookKeys,
    address: &Address<'_>,
) -> Result<Hook, Error> {
    let workflow_id = WorkflowId::parse(address.workflow_id).map_err(|_| NO_HOOK)?;
    let workflow = store.find_workflow_of_any(&CALLER, &workflow_id).await?;
    let workflow = workflow.filter(|workflow| workflow.active).ok_or(NO_HOOK)?;
    let mut webhooks = trigger_declaration::webhooks(&workflow.triggers);
    let webhook = webhooks.find(|webhook| webhook.id == address.hook_id);
    let webhook = webhook.ok_or(NO_HOOK)?;
    let keys = keys.of(&workflow.org_id).await.map_err(key_error)?;
    if !keys.is_token(&workflow_id, &webhook.id, address.token) {
        return Err(NO_HOOK);
    }
    Ok(Hook {
        secret: webhook
            .signature
            .map(|_| keys.secret(&workflow_id, &webhook.id)),
        org_id: workflow.org_id,
        workflow_id,
        id: webhook.id,
    })
}

impl Hook {
    /// Whether the request was signed as it has to be, if it has to. A query is not part of what is
    /// signed: anybody on the way could have added it.
    pub(crate) fn verify(
        &self,
        signed: &Signed<'_>,
        has_query: bool,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Some(secret) = &self.secret else {
            return Ok(());
        };
        let verified = signed.verify(secret.expose_secret(), now).map_err(|error| {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(workflow.id = %self.workflow_id, error, "webhook refused");
            Refusal::UNSIGNED
        });
        verified?;
        if has_query {
            let message = "must be absent: the signature does not cover it";
            return Err(Error::Invalid(vec![Problem::new("query", message)]));
        }
        Ok(())
    }

    /// Starts the workflow; a repeat of the event starts nothing.
    ///
    /// Whether the workflow can do something with it is up to the engine: its people are to see the
    /// execution that failed, the sender is not.
    pub(crate) async fn start(
        &self,
        store: &Store,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<Done<Started>, Error> {
        let payload = json!({
            "body": delivery.body,
            "query": delivery.query,
            "headers": delivery.headers,
        });
        require_depth("body", &payload)?;
        require_size(&payload)?;
        let (workflow_id, key) = (&self.workflow_id, delivery.key.as_deref());
        // Headers tell of the attempt, which is another one when the event is sent again.
        let request = (&delivery.body, &delivery.query);
        let once = &Once::of_hook(&self.org_id, workflow_id, &self.id, key, &request, now)?;
        let is_same = |trigger: &Trigger| {
            let earlier = &trigger.payload.0;
            earlier["body"] == delivery.body && earlier["query"] == delivery.query
        };
        if let Some(done) = find_started(store, &self.org_id, once, is_same).await? {
            return Ok(done);
        }
        let payload = &payload;
        once.commit(store, || async move {
            let draft = Draft {
                kind: TriggerType::Webhook,
                org_id: &self.org_id,
                workflow_id,
                uid: None,
                payload: payload.clone().into(),
                options: StartOptions::default(),
            };
            let trigger = draft.into_trigger(once, now);
            let started = Started::by(&trigger);
            Ok((vec![store::triggers::create(&trigger)?], started))
        })
        .await
    }
}

fn require_size(payload: &Value) -> Result<(), Error> {
    if payload.to_string().len() <= MAX_PAYLOAD_BYTES {
        return Ok(());
    }
    let message =
        format!("must be at most {MAX_PAYLOAD_BYTES} bytes as JSON, with query and headers");
    Err(Error::Invalid(vec![Problem::new("body", message)]))
}

/// The key of the audit trail makes these as well.
fn key_error(error: crypto::Error) -> Error {
    Error::Audit(audit::Error::Key(error))
}
