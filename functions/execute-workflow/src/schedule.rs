//! Schedules: a due workflow gets a trigger document, whose id is the same for the same minute.

mod calendar;

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use serde::Deserialize;
use serde_json::json;
use shared::{
    ids::TriggerId,
    models::{
        JsonText, ScheduleTick, StartOptions, Timestamp, Trigger, TriggerSource, TriggerType,
        Workflow,
    },
    store::{Error, Page, commit_contended, schedule_ticks, triggers},
};

use self::calendar::is_occurrence;
use crate::{AppState, CALLER};

/// Workflows read at once.
const PAGE: u32 = 200;

const MINUTE_SECS: i64 = 60;

/// How late a missed schedule is made up for, unless it tells, and at most.
const DEFAULT_CATCH_UP_SECS: i64 = 3_600;
const MAX_CATCH_UP_SECS: i64 = 86_400;

/// A declared trigger that a clock fires.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScheduleTrigger {
    /// Five fields: minute, hour, day of month, month, day of week.
    cron: String,
    /// An IANA time zone; UTC when absent.
    timezone: Option<String>,
    /// What to do about minutes that nobody has looked at.
    #[serde(default)]
    missed: Missed,
    /// How late it is made up for, in seconds.
    max_catch_up_secs: Option<i64>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Missed {
    /// Nothing.
    #[default]
    Skip,
    /// Fire for the last one, unless it is due now.
    Once,
    /// Fire for each.
    All,
}

/// The minutes that a tick looks at: those after `after`, up to and with `now`.
#[derive(Clone, Copy)]
struct Window {
    after: Timestamp,
    now: Timestamp,
}

/// Fires every schedule that is due in the minute of `due_at`, and makes up for minutes since the
/// last tick that nobody has looked at; tells how many new ones there were.
///
/// # Errors
/// Returns the database's error; what was fired is not fired again by the next call.
pub(crate) async fn fire_due(state: &AppState, due_at: Timestamp) -> Result<usize, Error> {
    let window = window(state, start_of_minute(due_at)).await?;
    let mut page = Page::first(PAGE);
    let mut fired = 0;
    loop {
        let workflows = state.store.list_active_workflows(&CALLER, &page).await?;
        for workflow in &workflows.items {
            for (cron, minute) in due_schedules(workflow, window) {
                fired += usize::from(fire(state, workflow, &cron, minute).await?);
            }
        }
        if workflows.next.is_none() {
            break;
        }
        page.after = workflows.next;
    }
    keep_tick(state, window.now).await?;
    Ok(fired)
}

/// A tick that comes late, or again, looks at its own minute only.
async fn window(state: &AppState, now: Timestamp) -> Result<Window, Error> {
    let before = now.plus_seconds(-MINUTE_SECS);
    let last = state.store.find_schedule_tick(&CALLER).await?;
    let last = last.map_or(before, |last| last.value.minute);
    let earliest = now.plus_seconds(-MAX_CATCH_UP_SECS - MINUTE_SECS);
    Ok(Window {
        after: last.clamp(earliest, before),
        now,
    })
}

/// Kept last: after a crash the next tick looks at this minute again. It is never moved back, nor
/// ahead of the clock, or the minutes until then would count as looked at.
async fn keep_tick(state: &AppState, now: Timestamp) -> Result<(), Error> {
    let clock = start_of_minute(state.clock.now().into());
    let minute = now.min(clock);
    commit_contended(&state.store, || async move {
        let last = state.store.find_schedule_tick(&CALLER).await?;
        if last
            .as_ref()
            .is_some_and(|last| last.value.minute >= minute)
        {
            return Ok((Vec::new(), ()));
        }
        let version = last.map(|last| last.version);
        let write = schedule_ticks::set(&ScheduleTick { minute }, version)?;
        Ok((vec![write], ()))
    })
    .await
}

/// Writes the trigger document, unless an earlier call has; tells whether it is new.
async fn fire(
    state: &AppState,
    workflow: &Workflow,
    cron: &str,
    minute: Timestamp,
) -> Result<bool, Error> {
    let minute = minute.to_string();
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

/// The schedules that are to be fired, each with its minute, the earliest first.
fn due_schedules(workflow: &Workflow, window: Window) -> Vec<(String, Timestamp)> {
    let schedules = workflow
        .triggers
        .iter()
        .filter(|trigger| trigger["type"] == "schedule");
    let parsed = schedules.filter_map(|trigger| ScheduleTrigger::deserialize(trigger).ok());
    let due = parsed.flat_map(|schedule| {
        let minutes = schedule.minutes(workflow.updated_at, window);
        minutes
            .into_iter()
            .map(move |minute| (schedule.cron.clone(), minute))
    });
    due.collect()
}

impl ScheduleTrigger {
    /// The minutes to fire for. What was due before the workflow was last changed is not made up
    /// for: it may not have been asked for then.
    fn minutes(&self, changed_at: Option<Timestamp>, window: Window) -> Vec<Timestamp> {
        let Some(cron) = parse(&self.cron) else {
            return Vec::new();
        };
        let after = changed_at.map_or(window.after, |changed_at| changed_at.max(window.after));
        let catch_up_secs = self.max_catch_up_secs.unwrap_or(DEFAULT_CATCH_UP_SECS);
        let earliest = match self.missed {
            Missed::Skip => window.now,
            Missed::Once | Missed::All => window
                .now
                .plus_seconds(-catch_up_secs.clamp(0, MAX_CATCH_UP_SECS)),
        };
        let is_due = |minute: &Timestamp| {
            let is_asked = *minute == window.now || (*minute > after && *minute >= earliest);
            is_asked && self.is_due(&cron, *minute)
        };
        let mut minutes: Vec<Timestamp> = window.minutes().filter(is_due).collect();
        if self.missed == Missed::Once {
            minutes.drain(..minutes.len().saturating_sub(1));
        }
        minutes
    }

    /// An unknown time zone is never due: the API refuses it when it saves.
    fn is_due(&self, cron: &Cron, minute: Timestamp) -> bool {
        let timezone = self.timezone.as_deref().unwrap_or("UTC");
        let local = minute.instant().in_tz(timezone);
        local.is_ok_and(|local| is_occurrence(cron, &local))
    }
}

impl Window {
    /// At most those of a day and one more.
    fn minutes(self) -> impl Iterator<Item = Timestamp> {
        let first = start_of_minute(self.after).plus_seconds(MINUTE_SECS);
        let next = |minute: &Timestamp| Some(minute.plus_seconds(MINUTE_SECS));
        std::iter::successors(Some(first), next).take_while(move |minute| *minute <= self.now)
    }
}

/// None for a malformed schedule, which is never due: the API refuses it when it saves.
fn parse(cron: &str) -> Option<Cron> {
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build();
    parser.parse(cron).ok()
}

fn start_of_minute(instant: Timestamp) -> Timestamp {
    let seconds = instant.instant().as_second();
    let minute = jiff::Timestamp::from_second(seconds - seconds.rem_euclid(MINUTE_SECS));
    minute.unwrap_or_default().into()
}

#[cfg(test)]
mod tests;
