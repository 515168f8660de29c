//! Schedules: a due workflow gets a trigger document, whose id is the same for the same minute.

mod calendar;

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use futures::stream::{self, StreamExt};
use serde::Deserialize;
use serde_json::json;
use shared::{
    ids::TriggerId,
    models::{
        JsonText, ScheduleTick, StartOptions, Timestamp, Trigger, TriggerSource, TriggerType,
        Workflow,
    },
    retry::Transient,
    store::{Error, Page, commit_contended, schedule_ticks, triggers},
    telemetry,
};

use self::calendar::is_occurrence;
use crate::{AppState, CALLER};

/// Workflows read at once.
const PAGE: u32 = 200;

/// Workflows that are fired for at the same time.
const MAX_PARALLEL: usize = 16;
/// Schedules of a workflow that one tick makes up for, roughly; the next tick goes on from there.
const MAX_MADE_UP: usize = 60;

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

/// How far a tick has come.
struct Progress {
    /// Minutes that nobody else had fired for.
    fired: usize,
    /// The last minute up to which nothing is left.
    reached: Timestamp,
    /// What has to be tried again.
    failure: Option<Error>,
}

/// Fires every schedule that is due in the minute of `due_at`, and makes up for minutes since the
/// last tick that nobody has looked at; tells how many new ones there were. What is left over, or
/// could not be fired, the next tick looks at again.
///
/// # Errors
/// Returns the database's error; what was fired is not fired again by the next call.
pub(crate) async fn fire_due(state: &AppState, due_at: Timestamp) -> Result<usize, Error> {
    let window = window(state, start_of_minute(due_at)).await?;
    let mut progress = Progress::up_to(window.now);
    let mut page = Page::first(PAGE);
    loop {
        let workflows = state.store.list_active_workflows(&CALLER, &page).await?;
        let parts = workflows.items.iter();
        let parts = parts.map(|workflow| fire_all(state, workflow, window));
        let parts: Vec<_> = parts.collect();
        let mut parts = stream::iter(parts).buffer_unordered(MAX_PARALLEL);
        while let Some(part) = parts.next().await {
            progress.add(part);
        }
        if workflows.next.is_none() {
            break;
        }
        page.after = workflows.next;
    }
    keep_tick(state, progress.reached).await?;
    progress.failure.map_or(Ok(progress.fired), Err)
}

/// Fires for one workflow, the earliest minute first. Its failure is its own.
async fn fire_all(state: &AppState, workflow: &Workflow, window: Window) -> Progress {
    let (schedules, reached) = due_schedules(workflow, window);
    let mut progress = Progress::up_to(reached);
    for (cron, minute) in schedules {
        let error = match fire(state, workflow, &cron, minute).await {
            Ok(is_new) => {
                progress.fired += usize::from(is_new);
                continue;
            }
            Err(error) => error,
        };
        let is_for_good = !error.is_transient() && !error.is_lost_race();
        let cause = &error as &dyn std::error::Error;
        if is_for_good {
            tracing::error!(workflow.id = %workflow.id, error = cause, "schedule not fired");
        } else {
            tracing::warn!(workflow.id = %workflow.id, error = cause, "schedule left to a later tick");
            progress.stop_before(minute, error);
            break;
        }
    }
    progress
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
async fn keep_tick(state: &AppState, reached: Timestamp) -> Result<(), Error> {
    let clock = start_of_minute(state.clock.now().into());
    let minute = reached.min(clock);
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
        traceparent: telemetry::traceparent(),
    };
    match state.store.commit(vec![triggers::create(&trigger)?]).await {
        Ok(_) => Ok(true),
        Err(Error::AlreadyExists) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The schedules that are to be fired, each with its minute, the earliest first, and the last minute
/// up to which these are all.
fn due_schedules(workflow: &Workflow, window: Window) -> (Vec<(String, Timestamp)>, Timestamp) {
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
    let mut due: Vec<(String, Timestamp)> = due.collect();
    due.sort_by_key(|(_, minute)| *minute);
    // Whole minutes: one with more schedules than that would never be over.
    let last = due.get(MAX_MADE_UP - 1);
    let reached = last.map_or(window.now, |(_, minute)| *minute);
    due.retain(|(_, minute)| *minute <= reached || *minute == window.now);
    (due, reached)
}

impl Progress {
    fn up_to(reached: Timestamp) -> Self {
        Self {
            fired: 0,
            reached,
            failure: None,
        }
    }

    fn stop_before(&mut self, minute: Timestamp, failure: Error) {
        self.reached = self.reached.min(minute.plus_seconds(-MINUTE_SECS));
        self.failure = Some(failure);
    }

    fn add(&mut self, part: Self) {
        self.fired += part.fired;
        self.reached = self.reached.min(part.reached);
        self.failure = self.failure.take().or(part.failure);
    }
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
