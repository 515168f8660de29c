use std::collections::HashSet;

use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::arrivals::MailConditions;

use crate::error::Problem;

/// Longest id of a webhook.
const MAX_HOOK_ID_LEN: usize = 32;

/// Longest time after which a missed schedule is made up for, in seconds: a day.
const MAX_CATCH_UP_SECS: u32 = 86_400;

/// What starts a workflow, as the workflow declares it.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
enum TriggerDeclaration {
    Manual {},
    Schedule(Schedule),
    Webhook(Webhook),
    /// `when` is an expression over the message; the others are texts that it must have.
    OnEmailReceived(Map<String, Value>),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Schedule {
    /// Minute, hour, day of month, month, day of week.
    cron: String,
    /// IANA name; UTC when absent.
    #[serde(default)]
    timezone: Option<String>,
    /// What to do about what was missed; nothing when absent.
    #[serde(default)]
    missed: Option<Missed>,
    /// How late it may be made up for.
    #[serde(default)]
    max_catch_up_secs: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Missed {
    Skip,
    Once,
    All,
}

/// An address at which the outside starts the workflow.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Webhook {
    /// Part of the address: another one makes another address.
    pub(crate) id: String,
    /// Whether requests have to be signed.
    #[serde(default)]
    pub(crate) signature: Option<Signature>,
}

/// That requests have to be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Signature {
    Required,
}

/// What is wrong with a workflow's trigger declarations, by field.
pub(crate) fn problems(triggers: &[Value]) -> Vec<Problem> {
    let mut hook_ids = HashSet::new();
    let mut problems = Vec::new();
    for (index, trigger) in triggers.iter().enumerate() {
        let path = format!("triggers[{index}]");
        match TriggerDeclaration::deserialize(trigger) {
            Err(error) => problems.push(Problem::new(path, error.to_string())),
            Ok(TriggerDeclaration::Manual {}) => {}
            Ok(TriggerDeclaration::Schedule(schedule)) => problems.extend(schedule.problems(&path)),
            Ok(TriggerDeclaration::OnEmailReceived(conditions)) => {
                problems.extend(condition_problems(&path, &conditions));
            }
            Ok(TriggerDeclaration::Webhook(webhook)) => {
                problems.extend(webhook.problem(&path));
                if !hook_ids.insert(webhook.id) {
                    let message = "another webhook has this id";
                    problems.push(Problem::new(format!("{path}.id"), message));
                }
            }
        }
    }
    problems
}

/// The webhooks that a workflow declares; what a client has spoilt is left out.
pub(crate) fn webhooks(triggers: &[Value]) -> impl Iterator<Item = Webhook> {
    triggers
        .iter()
        .filter_map(|trigger| match TriggerDeclaration::deserialize(trigger) {
            Ok(TriggerDeclaration::Webhook(webhook)) if webhook.problem("").is_none() => {
                Some(webhook)
            }
            _ => None,
        })
}

impl Schedule {
    fn problems(&self, path: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut refuse = |field: &str, message: String| {
            problems.push(Problem::new(format!("{path}.{field}"), message));
        };
        if !is_cron(&self.cron) {
            let message = "must be a cron expression of five fields, such as `0 9 * * 1-5`";
            refuse("cron", message.to_owned());
        }
        let timezone = self.timezone.as_deref();
        if timezone.is_some_and(|name| TimeZone::get(name).is_err()) {
            let message = "must be an IANA time zone, such as `Europe/Berlin`";
            refuse("timezone", message.to_owned());
        }
        let makes_up = self.missed.is_some_and(|missed| missed != Missed::Skip);
        match self.max_catch_up_secs {
            Some(_) if !makes_up => {
                let message = "needs `missed` to be `once` or `all`";
                refuse("maxCatchUpSecs", message.to_owned());
            }
            Some(seconds) if !(60..=MAX_CATCH_UP_SECS).contains(&seconds) => {
                let message = format!("must be between 60 and {MAX_CATCH_UP_SECS}");
                refuse("maxCatchUpSecs", message);
            }
            _ => {}
        }
        problems
    }
}

impl Webhook {
    fn problem(&self, path: &str) -> Option<Problem> {
        let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let is_id =
            (1..=MAX_HOOK_ID_LEN).contains(&self.id.len()) && self.id.bytes().all(is_allowed);
        let message = format!("must be 1 to {MAX_HOOK_ID_LEN} of a-z 0-9 -");
        (!is_id).then(|| Problem::new(format!("{path}.id"), message))
    }
}

fn condition_problems(path: &str, conditions: &Map<String, Value>) -> Vec<Problem> {
    let problems = MailConditions::parse(conditions).err().unwrap_or_default();
    let told = problems.into_iter().map(|problem| match problem.name {
        Some(name) => Problem::new(format!("{path}.{name}"), problem.message),
        None => Problem::new(path, problem.message),
    });
    told.collect()
}

fn is_cron(text: &str) -> bool {
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build();
    // The parser would also take nicknames such as `@daily`, which the engine does not promise.
    text.split_whitespace().count() == 5 && parser.parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn declared_triggers_are_accepted() {
        let triggers = [
            json!({ "type": "manual" }),
            json!({ "type": "schedule", "cron": "*/15 9-17 * * 1-5" }),
            json!({ "type": "schedule", "cron": "0 9 * * *", "timezone": "Europe/Berlin" }),
            json!({ "type": "schedule", "cron": "0 9 * * *", "missed": "skip" }),
            json!({ "type": "schedule", "cron": "0 9 * * *", "missed": "once" }),
            json!({
                "type": "schedule", "cron": "0 9 * * *", "missed": "all", "maxCatchUpSecs": 86_400,
            }),
            json!({ "type": "webhook", "id": "orders-2" }),
            json!({ "type": "webhook", "id": "x".repeat(32), "signature": "required" }),
            json!({ "type": "onEmailReceived" }),
            json!({ "type": "onEmailReceived", "from": "@example.com", "labels": "INBOX" }),
            json!({ "type": "onEmailReceived", "when": "trigger.subject.contains('order')" }),
        ];
        assert_eq!(problems(&triggers), []);
    }

    #[test]
    fn what_is_wrong_is_told_by_field() {
        let cases = [
            (json!({ "type": "webhook" }), "triggers[0]"),
            (webhook("Orders"), "triggers[0].id"),
            (webhook(""), "triggers[0].id"),
            (webhook(&"x".repeat(33)), "triggers[0].id"),
            (
                json!({ "type": "webhook", "id": "a", "signature": "none" }),
                "triggers[0]",
            ),
            (
                json!({ "type": "webhook", "id": "a", "secret": "x" }),
                "triggers[0]",
            ),
            (missed("never", 60), "triggers[0]"),
            (missed("skip", 60), "triggers[0].maxCatchUpSecs"),
            (missed("once", 59), "triggers[0].maxCatchUpSecs"),
            (missed("all", 86_401), "triggers[0].maxCatchUpSecs"),
            (email("from", json!(["a"])), "triggers[0].from"),
            (
                email("subject", json!("x".repeat(1_001))),
                "triggers[0].subject",
            ),
            (email("when", json!(true)), "triggers[0].when"),
            (email("when", json!("trigger.")), "triggers[0].when"),
            (
                email("when", json!("nodes.a.output == 1")),
                "triggers[0].when",
            ),
            (email("when", json!("item == 1")), "triggers[0].when"),
            (email("when", json!("message == 1")), "triggers[0].when"),
            (
                json!({ "type": "manual", "cron": "* * * * *" }),
                "triggers[0]",
            ),
            (json!({ "type": "schedule" }), "triggers[0]"),
            (json!({ "cron": "* * * * *" }), "triggers[0]"),
            (json!("manual"), "triggers[0]"),
            (schedule("@daily", "UTC"), "triggers[0].cron"),
            (schedule("* * * * * *", "UTC"), "triggers[0].cron"),
            (schedule("61 * * * *", "UTC"), "triggers[0].cron"),
            (schedule("* * * *", "UTC"), "triggers[0].cron"),
            (
                schedule("* * * * *", "Mars/Olympus"),
                "triggers[0].timezone",
            ),
        ];
        for (trigger, field) in cases {
            let problems = problems(&[trigger]);
            let fields: Vec<_> = problems.iter().map(|problem| &problem.field).collect();
            assert_eq!(fields, [field]);
        }
    }

    #[test]
    fn a_webhook_is_declared_once() {
        let problems = problems(&[webhook("a"), webhook("b"), webhook("a")]);
        let fields: Vec<_> = problems.iter().map(|problem| &problem.field).collect();
        assert_eq!(fields, ["triggers[2].id"]);
    }

    #[test]
    fn spoilt_webhooks_are_left_out() {
        let spoilt = json!({ "type": "webhook", "id": "a/b" });
        let triggers = [json!(1), spoilt, json!({ "type": "manual" }), webhook("b")];
        let ids: Vec<String> = webhooks(&triggers).map(|webhook| webhook.id).collect();
        assert_eq!(ids, ["b"]);
    }

    fn webhook(id: &str) -> Value {
        json!({ "type": "webhook", "id": id })
    }

    fn missed(policy: &str, max_catch_up_secs: u32) -> Value {
        let mut declaration = schedule("* * * * *", "UTC");
        declaration["missed"] = json!(policy);
        declaration["maxCatchUpSecs"] = json!(max_catch_up_secs);
        declaration
    }

    fn email(name: &str, condition: Value) -> Value {
        json!({ "type": "onEmailReceived", name: condition })
    }

    fn schedule(cron: &str, timezone: &str) -> Value {
        json!({ "type": "schedule", "cron": cron, "timezone": timezone })
    }
}
