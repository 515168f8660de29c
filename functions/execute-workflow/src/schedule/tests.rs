use serde_json::{Value, json};

use super::*;

fn at(text: &str) -> Timestamp {
    let instant: jiff::Timestamp = text.parse().unwrap();
    instant.into()
}

fn schedule(cron: &str, timezone: Option<&str>) -> ScheduleTrigger {
    ScheduleTrigger {
        cron: cron.to_owned(),
        timezone: timezone.map(str::to_owned),
        missed: Missed::Skip,
        max_catch_up_secs: None,
    }
}

fn is_due_at(cron: &str, timezone: Option<&str>, instant: &str) -> bool {
    let now = start_of_minute(at(instant));
    let after = now.plus_seconds(-MINUTE_SECS);
    let minutes = schedule(cron, timezone).minutes(None, Window { after, now });
    !minutes.is_empty()
}

/// The minutes that a tick at 10:05 fires for when the last one was at 10:00.
fn made_up(declaration: Value, changed_at: Option<&str>) -> Vec<String> {
    let mut declared = json!({ "type": "schedule", "cron": "* * * * *" });
    declared
        .as_object_mut()
        .unwrap()
        .extend(declaration.as_object().unwrap().clone());
    let schedule = ScheduleTrigger::deserialize(&declared).unwrap();
    let window = Window {
        after: at("2026-11-23T10:00:00Z"),
        now: at("2026-11-23T10:05:00Z"),
    };
    let minutes = schedule.minutes(changed_at.map(at), window);
    minutes
        .into_iter()
        .map(|minute| minute.instant().strftime("%H:%M").to_string())
        .collect()
}

#[test]
fn a_schedule_is_due_in_any_second_of_its_minute() {
    assert!(is_due_at("30 9 * * *", None, "2026-11-23T09:30:00Z"));
    assert!(is_due_at("30 9 * * *", None, "2026-11-23T09:30:59.9Z"));
    assert!(!is_due_at("30 9 * * *", None, "2026-11-23T09:31:00Z"));
}

#[test]
fn a_schedule_follows_its_time_zone() {
    let zone = Some("Europe/Berlin");
    assert!(is_due_at("30 9 * * *", zone, "2026-11-23T08:30:00Z"));
    assert!(is_due_at("30 9 * * *", zone, "2026-07-23T07:30:00Z"));
}

#[test]
fn a_malformed_schedule_is_never_due() {
    let now = "2026-11-23T09:30:00Z";
    assert!(!is_due_at("every day", None, now));
    assert!(!is_due_at("* * * * * *", None, now));
    assert!(!is_due_at("* * * * *", Some("Mars/Olympus"), now));
}

#[test]
fn what_was_missed_is_skipped_unless_told() {
    assert_eq!(made_up(json!({}), None), ["10:05"]);
    assert_eq!(made_up(json!({ "missed": "skip" }), None), ["10:05"]);
    assert_eq!(made_up(json!({ "cron": "3 10 * * *" }), None), [""; 0]);
}

#[test]
fn what_was_missed_is_made_up_for_once_or_as_a_whole() {
    let once = |cron: &str| made_up(json!({ "cron": cron, "missed": "once" }), None);
    assert_eq!(once("1,3 10 * * *"), ["10:03"]);
    assert_eq!(
        once("* * * * *"),
        ["10:05"],
        "what is due now makes up for all"
    );
    let all = |cron: &str| made_up(json!({ "cron": cron, "missed": "all" }), None);
    assert_eq!(all("1,3 10 * * *"), ["10:01", "10:03"]);
    assert_eq!(
        all("* * * * *"),
        ["10:01", "10:02", "10:03", "10:04", "10:05"]
    );
    assert_eq!(
        all("0 10 * * *"),
        [""; 0],
        "the last tick has looked at its own minute"
    );
}

#[test]
fn what_is_too_late_is_not_made_up_for() {
    let all = json!({ "missed": "all", "maxCatchUpSecs": 120 });
    assert_eq!(made_up(all, None), ["10:03", "10:04", "10:05"]);
}

#[test]
fn what_was_due_before_the_last_change_is_not_made_up_for() {
    let all = json!({ "missed": "all" });
    let made_up = made_up(all, Some("2026-11-23T10:03:30Z"));
    assert_eq!(made_up, ["10:04", "10:05"]);
}

#[test]
fn a_change_in_this_minute_does_not_keep_it_from_being_due() {
    assert_eq!(made_up(json!({}), Some("2026-11-23T10:05:20Z")), ["10:05"]);
}
