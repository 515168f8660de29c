use async_trait::async_trait;
use serde_json::{Map, Value};
use shared::{
    graph::Approvers,
    inputs::Extent,
    models::{ApprovalStatus, AskedAccount, AskedAction},
};

use super::{ActionCall, Call, Effect, Failure, Outcome, Stop, account::Need};
use crate::{
    AppState,
    node::approval::{self, Question, withdrawn},
};

/// An input of so many bytes is shown whole.
const SHOWN_WHOLE: usize = 64 * 1_024;
/// Of a text in a longer one, so many characters are shown.
const SHOWN_CHARACTERS: usize = 2_000;
/// Of a list in a longer one, so many items are shown: more than a mail has recipients.
const SHOWN_ITEMS: usize = 1_000;
/// Of a text in such a list, so many characters are shown: the longest mail address.
const SHOWN_OF_ITEM: usize = 320;

/// Asks people whether an action may be carried out.
pub(super) struct Permission {
    question: Question,
    /// None for what is done with no account.
    need: Option<Need>,
    /// Whether it is not asked when nobody can tell with which account it would be done.
    is_exact: bool,
    request_hash: String,
}

impl Permission {
    /// The approvers are shown what is going to be done, and with whose account.
    pub(super) fn of(call: &ActionCall, approvers: &Approvers) -> Self {
        let asked = asked(call.action.name, &call.input, call.request_hash());
        Self {
            need: Some(Need::of(call)),
            ..Self::about(call.action.title, asked, approvers)
        }
    }

    /// The same for an agent, which cannot choose between accounts.
    pub(super) fn of_agent(call: &ActionCall, approvers: &Approvers) -> Self {
        Self {
            is_exact: true,
            ..Self::of(call, approvers)
        }
    }

    /// Leave for something that is done with no account.
    pub(super) fn about(title: &str, asked: AskedAction, approvers: &Approvers) -> Self {
        Self {
            need: None,
            is_exact: false,
            request_hash: asked.request_hash.clone(),
            question: Question::about(title, asked, approvers.clone()),
        }
    }

    async fn account(&self, state: &AppState, call: &Call) -> Result<Option<AskedAccount>, Stop> {
        let Some(need) = &self.need else {
            return Ok(None);
        };
        let account = need.find(&state.store, &call.execution.org_id).await?;
        if account.is_none() && self.is_exact && !approval::is_asked(state, call).await? {
            let message = "exactly one account of the service has to be connected";
            return Err(Failure::permanent("failed_precondition", message).into());
        }
        Ok(account)
    }
}

/// What people are shown of an action.
pub(super) fn asked(name: &str, input: &Value, request_hash: String) -> AskedAction {
    AskedAction {
        name: name.to_owned(),
        input: shown(input).into(),
        request_hash,
        account: None,
    }
}

#[async_trait]
impl Effect for Permission {
    fn request_hash(&self) -> String {
        self.request_hash.clone()
    }

    fn asks_for_leave(&self) -> bool {
        true
    }

    /// Approved is what people were asked, and nothing else.
    async fn perform(&self, state: &AppState, call: &Call) -> Result<Outcome, Stop> {
        let account = self.account(state, call).await?;
        let question = self.question.clone().with(account);
        let approval = question.decide(state, call).await?;
        let asked = approval.action.map(|action| action.request_hash);
        let failure = match approval.status {
            ApprovalStatus::Pending => return Err(Stop::Pending(approval.expires_at)),
            ApprovalStatus::Approved if asked.as_ref() == Some(&self.request_hash) => {
                return Err(Stop::Granted);
            }
            ApprovalStatus::Approved => {
                let message = "something else was approved than what would be done now";
                Failure::permanent("failed_precondition", message)
            }
            ApprovalStatus::Rejected => {
                Failure::permanent("permission_denied", "it was not approved")
            }
            ApprovalStatus::Expired => {
                Failure::permanent("deadline_exceeded", "it was not approved in time")
            }
            ApprovalStatus::Cancelled => withdrawn(),
        };
        Err(failure.into())
    }
}

/// An input for people. They are to see all that they approve; of what is too long, what is cut
/// tells how much is missing.
fn shown(input: &Value) -> Value {
    if Extent::of(input).bytes <= SHOWN_WHOLE {
        return input.clone();
    }
    let fields = input.as_object().into_iter().flatten();
    let fields: Map<String, Value> = fields
        .map(|(name, value)| (name.clone(), shown_field(value)))
        .collect();
    fields.into()
}

fn shown_field(value: &Value) -> Value {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        Value::String(text) => cut(text, SHOWN_CHARACTERS).into(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let texts = items.iter().take(SHOWN_ITEMS).filter_map(Value::as_str);
            let mut texts: Vec<Value> = texts.map(|text| cut(text, SHOWN_OF_ITEM).into()).collect();
            if items.len() > SHOWN_ITEMS {
                texts.push(format!("… ({} more)", items.len() - SHOWN_ITEMS).into());
            }
            texts.into()
        }
        Value::Array(_) | Value::Object(_) => cut(&value.to_string(), SHOWN_CHARACTERS).into(),
    }
}

fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some((end, _)) => {
            let rest = text[end..].chars().count();
            format!("{}… ({rest} more characters)", &text[..end])
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_long_is_cut_and_tells_so() {
        let to: Vec<String> = (0..1_003).map(|n| format!("{n}@example.com")).collect();
        let text = "ä".repeat(40_000);
        let input = json!({ "text": text, "to": to, "amount": 5, "rows": [[1, "a"]] });
        let shown = shown(&input);
        let text = format!("{}… (38000 more characters)", "ä".repeat(2_000));
        assert_eq!(shown["text"], json!(text));
        assert_eq!(shown["to"].as_array().unwrap().len(), 1_001);
        assert_eq!(shown["to"][999], "999@example.com");
        assert_eq!(shown["to"][1_000], "… (3 more)");
        assert_eq!(shown["amount"], 5);
        assert_eq!(shown["rows"], r#"[[1,"a"]]"#);
    }

    #[test]
    fn what_fits_is_shown_as_it_is() {
        let to: Vec<String> = (0..500).map(|n| format!("{n}@example.com")).collect();
        let input = json!({ "text": "x".repeat(20_000), "to": to, "rows": [[1]], "flag": true });
        assert_eq!(shown(&input), input);
    }
}
