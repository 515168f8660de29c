use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::Problem;

/// Most conditions on a received message.
const MAX_CONDITIONS: usize = 20;

/// What starts a workflow, as the workflow declares it.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
enum TriggerDeclaration {
    Manual {},
    Schedule {
        /// Minute, hour, day of month, month, day of week.
        cron: String,
        /// IANA name; UTC when absent.
        #[serde(default)]
        timezone: Option<String>,
    },
    /// With conditions on the message; what they may be is up to the engine.
    OnEmailReceived(Map<String, Value>),
}

/// What is wrong with a workflow's trigger declarations, by field.
pub(crate) fn problems(triggers: &[Value]) -> Vec<Problem> {
    let numbered = triggers.iter().enumerate();
    numbered
        .flat_map(|(index, trigger)| find_problems(&format!("triggers[{index}]"), trigger))
        .collect()
}

fn find_problems(path: &str, trigger: &Value) -> Vec<Problem> {
    match TriggerDeclaration::deserialize(trigger) {
        Err(error) => vec![Problem::new(path, error.to_string())],
        Ok(TriggerDeclaration::Schedule { cron, timezone }) => {
            schedule_problems(path, &cron, timezone.as_deref())
        }
        Ok(TriggerDeclaration::OnEmailReceived(conditions))
            if conditions.len() > MAX_CONDITIONS =>
        {
            let message = format!("must have at most {MAX_CONDITIONS} conditions");
            vec![Problem::new(path, message)]
        }
        Ok(TriggerDeclaration::Manual {} | TriggerDeclaration::OnEmailReceived(_)) => Vec::new(),
    }
}

fn schedule_problems(path: &str, cron: &str, timezone: Option<&str>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !is_cron(cron) {
        let message = "must be a cron expression of five fields, such as `0 9 * * 1-5`";
        problems.push(Problem::new(format!("{path}.cron"), message));
    }
    if timezone.is_some_and(|name| TimeZone::get(name).is_err()) {
        let message = "must be an IANA time zone, such as `Europe/Berlin`";
        problems.push(Problem::new(format!("{path}.timezone"), message));
    }
    problems
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
            json!({ "type": "onEmailReceived", "from": "@example.com" }),
        ];
        assert_eq!(problems(&triggers), []);
    }

    #[test]
    fn what_is_wrong_is_told_by_field() {
        let cases = [
            (json!({ "type": "webhook" }), "triggers[0]"),
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

    fn schedule(cron: &str, timezone: &str) -> Value {
        json!({ "type": "schedule", "cron": cron, "timezone": timezone })
    }
}
