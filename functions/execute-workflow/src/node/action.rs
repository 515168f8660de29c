//! Actions of connected services: the hub carries them out, once people let it where they have to.

mod account;
mod permission;

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use shared::{
    actions::{self, Action},
    connectors,
    graph::{ActionData, Approvers},
    ids::{IntegrationId, OrgId, fingerprint},
    inputs::{Bindings, Extent, MAX_RESULT_BYTES},
    models::IntegrationService,
    quota,
    retry::Transient,
    vault,
};

use self::permission::Permission;
use super::{Call, Effect, Failure, Outcome, Prepared, Stop, llm, stored};
use crate::AppState;

/// How long what was done may stay hidden from the search that a repeat begins with. Google names
/// no time; seconds are seen.
const SEARCH_LAG: Duration = Duration::from_secs(30);

/// What an agent has asked for is not done any more after a week: the conversation has gone on.
const LEAVE_SECS: u32 = 7 * 24 * 60 * 60;

/// An action with its expressions resolved.
struct ActionCall {
    action: &'static Action,
    /// The only one of the service when absent.
    integration_id: Option<IntegrationId>,
    input: Value,
    /// Whether people are asked before it is done.
    is_asked: bool,
}

pub(super) fn prepare(data: &ActionData, bindings: &Bindings) -> Result<Prepared, Failure> {
    let call = ActionCall::render(data, bindings)?;
    Ok(call.prepare(data.approvers.as_ref()))
}

/// An action that an agent wants to take, with an input that was checked. An input that a model has
/// thought of may come from a mail that it has read: whatever does more than read asks people first.
pub(super) fn prepare_for_agent(action: &'static Action, input: Value) -> Prepared {
    let is_asked = action.effect != actions::Effect::Read;
    let call = ActionCall {
        action,
        integration_id: None,
        input,
        is_asked,
    };
    match is_asked {
        false => Prepared::Effect(Box::new(call)),
        true => Prepared::AskFirst {
            question: Box::new(Permission::of_agent(&call, &approvers_of_agents())),
            effect: Box::new(call),
        },
    }
}

/// Something that an agent wants to do, which is no action of a service, once an admin lets it.
pub(super) fn ask_for_agent(
    name: &str,
    title: &str,
    input: &Value,
    effect: impl Effect + 'static,
) -> Prepared {
    let asked = permission::asked(name, input, effect.request_hash());
    Prepared::AskFirst {
        question: Box::new(Permission::about(title, asked, &approvers_of_agents())),
        effect: Box::new(effect),
    }
}

fn approvers_of_agents() -> Approvers {
    Approvers {
        expires_after_secs: Some(LEAVE_SECS),
        ..Approvers::one_admin(true)
    }
}

#[async_trait]
impl Effect for ActionCall {
    fn request_hash(&self) -> String {
        let integration_id = self.integration_id.as_ref().map(IntegrationId::as_str);
        fingerprint(&[
            self.action.name,
            integration_id.unwrap_or_default(),
            &self.input.to_string(),
        ])
    }

    async fn perform(&self, state: &AppState, call: &Call) -> Result<Outcome, Stop> {
        self.require_plan(state, &call.execution.org_id).await?;
        let approved = match self.is_asked {
            true => account::approved(state, call).await?,
            false => None,
        };
        let asked = vault::Call {
            org_id: &call.execution.org_id,
            integration_id: approved.as_ref().or(self.integration_id.as_ref()),
            action: self.action,
            input: &self.input,
            idempotency_key: &call.idempotency_key,
            at_most_once: call.at_most_once,
        };
        let performed = state.actions.perform(&asked).await;
        let output = performed.map_err(|error| to_stop(error, &asked))?;
        if Extent::of(&output).bytes <= MAX_RESULT_BYTES {
            return Ok(Outcome::of(output));
        }
        let body = output.to_string().into_bytes();
        let stored = stored::keep(body, "application/json", state, call).await?;
        Ok(Outcome::of(json!({ "body": stored })))
    }
}

impl ActionCall {
    /// The tier may have changed since the account was connected.
    async fn require_plan(&self, state: &AppState, org_id: &OrgId) -> Result<(), Stop> {
        if self.action.service != IntegrationService::Google {
            return Ok(());
        }
        let allowed = quota::allows_workspace(&state.store, org_id).await;
        match allowed.map_err(llm::to_stop)? {
            true => Ok(()),
            false => {
                let message = "Google Workspace needs the pro tier";
                Err(Failure::permanent("failed_precondition", message).into())
            }
        }
    }

    fn prepare(self, approvers: Option<&Approvers>) -> Prepared {
        match approvers {
            None => Prepared::Effect(Box::new(self)),
            Some(approvers) => Prepared::AskFirst {
                question: Box::new(Permission::of(&self, approvers)),
                effect: Box::new(self),
            },
        }
    }

    /// What comes to `null` counts as absent.
    fn render(data: &ActionData, bindings: &Bindings) -> Result<Self, Failure> {
        let mut input = Map::new();
        for (name, template) in &data.input {
            let value = template.render(bindings)?;
            if !value.is_null() {
                input.insert((*name).to_owned(), value);
            }
        }
        let input = Value::Object(input);
        let checked = data.action.check(&input);
        checked.map_err(|invalid| Failure::permanent("invalid_argument", invalid.to_string()))?;
        let integration = data.integration.as_ref();
        let integration = integration.map(|template| template.render(bindings));
        Ok(Self {
            action: data.action,
            integration_id: integration.transpose()?.and_then(to_id).transpose()?,
            input,
            is_asked: data.approvers.is_some(),
        })
    }
}

fn to_id(integration: Value) -> Option<Result<IntegrationId, Failure>> {
    if integration.is_null() {
        return None;
    }
    let id = integration.as_str().map(IntegrationId::parse);
    let refused = || Failure::permanent("invalid_argument", "`integration` is no id");
    Some(id.and_then(Result::ok).ok_or_else(refused))
}

/// The hub's database fails only before it asks the service or after the service has refused: the
/// run may come back to the action, or if that must not be begun twice, knows that it was not done.
fn to_stop(error: vault::Error, asked: &vault::Call<'_>) -> Stop {
    let message = error.to_string();
    let failure = match error {
        vault::Error::Store(error) if !asked.at_most_once => return Stop::Database(error),
        vault::Error::Service(error) => of_service(&error, asked.action.effect),
        vault::Error::NeedsConsent { .. } => Failure::permanent("permission_denied", message),
        // Nothing was asked of the service yet.
        error if error.is_transient() => {
            let failure = Failure::transient("unavailable", message);
            failure.with_retry_after(error.retry_after())
        }
        _ => Failure::permanent("failed_precondition", message),
    };
    failure.into()
}

fn of_service(error: &connectors::Error, effect: actions::Effect) -> Failure {
    let source = error as &dyn std::error::Error;
    tracing::warn!(error = source, "a connected service did not act");
    let (code, message) = (code_of(error), error.to_string());
    let failure = match error.is_transient() {
        true => Failure::transient(code, message).with_retry_after(error.retry_after()),
        false => Failure::permanent(code, message),
    };
    match (error.may_have_happened(), effect) {
        (false, _) => failure,
        (true, actions::Effect::Searched) => {
            failure.perhaps_done().with_retry_after(Some(SEARCH_LAG))
        }
        (true, _) => failure.perhaps_done(),
    }
}

fn code_of(error: &connectors::Error) -> &'static str {
    match error {
        connectors::Error::Input { .. } => "invalid_argument",
        connectors::Error::Forbidden { .. } => "permission_denied",
        connectors::Error::RateLimited { .. } => "resource_exhausted",
        connectors::Error::Unavailable(_) | connectors::Error::Unknown(_) => "unavailable",
        connectors::Error::Rejected {
            status: 404 | 410, ..
        } => "not_found",
        connectors::Error::Rejected { .. }
        | connectors::Error::Unauthorized
        | connectors::Error::Malformed => "failed_precondition",
    }
}
