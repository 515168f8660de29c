//! Schedules: a due workflow gets a trigger document, whose id is the same for the same minute.

use std::str::FromStr;

use croner::Cron;
use serde::Deserialize;
use serde_json::json;
use shared::{
    ids::TriggerId,
    models::{JsonText, StartOptions, Timestamp, Trigger, TriggerSource, TriggerType, Workflow},
    store::{Error, Page, triggers},
};

use crate::{AppState, CALLER};

/// Workflows read at once.
const PAGE: u32 = 200;

/// A declared trigger that a clock fires.
#[derive(Deserialize)]
struct ScheduleTrigger {
    /// Five fields: minute, hour, day of month, month, day of week.
    cron: String,
    /// An IANA time zone; UTC when absent.
    timezone: Option<String>,
}

/// Fires every schedule that is due in the minute of `due_at`; tells how many new ones there were.
///
/// # Errors
/// Returns the database's error; what was fired is not fired again by the next call.
pub(crate) async fn fire_due(state: &AppState, due_at: Timestamp) -> Result<usize, Error> {
    let mut page = Page::first(PAGE);
    let mut fired = 0;
    loop {
        let workflows = state.store.list_active_workflows(&CALLER, &page).await?;
        for workflow in &workflows.items {
            for cron in due_schedules(workflow, due_at) {
                fired += usize::from(fire(state, workflow, &cron, due_at).await?);
            }
        }
        if workflows.next.is_none() {
            return Ok(fired);
        }
        page.after = workflows.next;
    }
}

/// Writes the trigger document, unless an earlier call has; tells whether it is new.
async fn fire(
    state: &AppState,
    workflow: &Workflow,
    cron: &str,
    due_at: Timestamp,
) -> Result<bool, Error> {
    let minute = minute_of(due_at);
    let parts = [
        "schedule",
        workflow.org_id.as_str(),
        workflow.id.as_str(),
        cron,
        &minute,
    ];
    let id = TriggerId::derive(&parts);
    let trigger = Trigger {
        dedupe_key: id.to_string(),
        id,
        org_id: workflow.org_id.clone(),
        workflow_id: workflow.id.clone(),
        kind: TriggerType::Schedule,
        payload: JsonText(json!({ "scheduledAt": minute })),
        source: TriggerSource {
            function: CALLER.function.to_owned(),
            uid: None,
        },
        created_at: state.clock.now().into(),
        options: StartOptions::default(),
    };
    match state.store.commit(vec![triggers::create(&trigger)?]).await {
        Ok(_) => Ok(true),
        Err(Error::AlreadyExists) => Ok(false),
        Err(error) => Err(error),
    }
}

fn due_schedules(workflow: &Workflow, due_at: Timestamp) -> Vec<String> {
    let schedules = workflow
        .triggers
        .iter()
        .filter(|trigger| trigger["type"] == "schedule");
    let parsed = schedules.filter_map(|trigger| ScheduleTrigger::deserialize(trigger).ok());
    parsed
        .filter(|schedule| is_due(schedule, due_at))
        .map(|schedule| schedule.cron)
        .collect()
}

/// A malformed schedule or unknown time zone is never due: the API refuses both when it saves.
fn is_due(schedule: &ScheduleTrigger, due_at: Timestamp) -> bool {
    let Ok(cron) = Cron::from_str(&schedule.cron) else {
        return false;
    };
    let timezone = schedule.timezone.as_deref().unwrap_or("UTC");
    let Ok(local) = start_of_minute(due_at).in_tz(timezone) else {
        return false;
    };
    cron.is_time_matching(&local).unwrap_or(false)
}

fn start_of_minute(instant: Timestamp) -> jiff::Timestamp {
    let seconds = instant.instant().as_second();
    jiff::Timestamp::from_second(seconds - seconds.rem_euclid(60)).unwrap_or_default()
}

fn minute_of(instant: Timestamp) -> String {
    start_of_minute(instant).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_due_at(cron: &str, timezone: Option<&str>, instant: &str) -> bool {
        let schedule = ScheduleTrigger {
            cron: cron.to_owned(),
            timezone: timezone.map(str::to_owned),
        };
        let instant: jiff::Timestamp = instant.parse().unwrap();
        is_due(&schedule, instant.into())
    }

    #[test]
    fn a_schedule_is_due_in_any_second_of_its_minute() {
        assert!(is_due_at("30 9 * * *", None, "2026-11-23T09:30:00Z"));
        assert!(is_due_at("30 9 * * *", None, "2026-11-23T09:30:59.9Z"));
        assert!(!is_due_at("30 9 * * *", None, "2026-11-23T09:31:00Z"));
    }

    #[test]
    fn a_schedule_follows_its_time_zone() {
        assert!(is_due_at(
            "30 9 * * *",
            Some("Europe/Berlin"),
            "2026-11-23T08:30:00Z"
        ));
        assert!(is_due_at(
            "30 9 * * *",
            Some("Europe/Berlin"),
            "2026-07-23T07:30:00Z"
        ));
    }

    #[test]
    fn a_malformed_schedule_is_never_due() {
        assert!(!is_due_at("every day", None, "2026-11-23T09:30:00Z"));
        assert!(!is_due_at(
            "* * * * *",
            Some("Mars/Olympus"),
            "2026-11-23T09:30:00Z"
        ));
    }
}
