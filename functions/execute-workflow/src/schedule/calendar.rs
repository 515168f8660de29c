//! When a schedule is due, also in the days on which clocks change.

use croner::{Cron, JobType};
use jiff::{ToSpan, Zoned, civil::DateTime, tz::AmbiguousOffset};

/// Minutes that clocks skip at most; Samoa once skipped a day.
const MAX_SKIPPED: usize = 24 * 60;

/// Whether the schedule is due in a minute, as croner's search finds it
/// (<https://docs.rs/croner/4.0.3/croner/#daylight-saving-time-dst-handling>): a schedule of one
/// time of day is due once a day, in the first minute after an hour that clocks skip, and in the
/// first one of an hour that comes twice. Others are due whenever clocks show one of their times.
///
/// The search itself may run through centuries for a day that never comes.
pub(super) fn is_occurrence(cron: &Cron, minute: &Zoned) -> bool {
    let shown = minute.datetime();
    if cron.determine_job_type() == JobType::IntervalWildcard {
        return matches(cron, shown);
    }
    let is_due = matches(cron, shown) && !is_repeated(minute);
    is_due || skipped(minute).any(|skipped| matches(cron, skipped))
}

fn matches(cron: &Cron, shown: DateTime) -> bool {
    cron.is_time_matching(&shown).unwrap_or(false)
}

/// Whether clocks have shown this minute before.
fn is_repeated(minute: &Zoned) -> bool {
    let ambiguous = minute.time_zone().to_ambiguous_timestamp(minute.datetime());
    match ambiguous.offset() {
        AmbiguousOffset::Fold { before, .. } => minute.offset() != before,
        _ => false,
    }
}

/// What clocks have skipped just before this minute.
fn skipped(minute: &Zoned) -> impl Iterator<Item = DateTime> {
    let shown = minute.datetime();
    let next = |shown: DateTime| shown.checked_add(1.minute()).ok();
    let before = minute.checked_sub(1.minute()).ok();
    let first = before.and_then(|before| next(before.datetime()));
    let minutes = std::iter::successors(first, move |minute| next(*minute));
    minutes
        .take_while(move |minute| *minute < shown)
        .take(MAX_SKIPPED)
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use croner::Direction;

    use super::*;

    /// Both days in Europe/Berlin on which clocks change in 2026.
    const SPRING: &str = "2026-03-29T00:00[Europe/Berlin]";
    const AUTUMN: &str = "2026-10-25T00:00[Europe/Berlin]";

    /// All minutes of the day in UTC at which the schedule is due.
    fn occurrences(cron: &str, day: &str) -> Vec<String> {
        let cron = Cron::from_str(cron).unwrap();
        let start: Zoned = day.parse().unwrap();
        let end = start.tomorrow().unwrap();
        let minutes =
            std::iter::successors(Some(start), |minute| minute.checked_add(1.minute()).ok());
        let minutes = minutes.take_while(|minute| *minute < end);
        let due = minutes.filter(|minute| is_occurrence(&cron, minute));
        due.map(|minute| minute.timestamp().strftime("%H:%M").to_string())
            .collect()
    }

    #[test]
    fn a_time_that_clocks_skip_is_made_up_for_once_at_the_next_that_they_show() {
        assert_eq!(occurrences("30 2 * * *", SPRING), ["01:00"]);
        assert_eq!(occurrences("0 2 * * *", SPRING), ["01:00"]);
        assert_eq!(occurrences("0 3 * * *", SPRING), ["01:00"]);
        assert_eq!(occurrences("59 1 * * *", SPRING), ["00:59"]);
        assert_eq!(occurrences("30 2 30 * *", SPRING), [""; 0]);
    }

    #[test]
    fn what_comes_every_few_minutes_is_not_made_up_for() {
        assert_eq!(
            occurrences("*/30 1-3 * * *", SPRING),
            ["00:00", "00:30", "01:00", "01:30"]
        );
    }

    #[test]
    fn a_time_that_clocks_show_twice_is_due_the_first_time() {
        assert_eq!(occurrences("30 2 * * *", AUTUMN), ["00:30"]);
        assert_eq!(occurrences("0 3 * * *", AUTUMN), ["02:00"]);
    }

    #[test]
    fn what_comes_every_few_minutes_goes_on_in_an_hour_that_comes_twice() {
        let due = ["00:00", "00:30", "01:00", "01:30"];
        assert_eq!(occurrences("*/30 2 * * *", AUTUMN), due);
        assert_eq!(occurrences("0 * * * *", AUTUMN).len(), 25);
        assert_eq!(occurrences("0 * * * *", SPRING).len(), 23);
    }

    #[test]
    fn it_is_due_when_the_search_of_croner_finds_it() {
        let crons = [
            "30 2 * * *",
            "0 2 * * *",
            "0 3 * * *",
            "*/15 * * * *",
            "15 1-3 * * *",
            "0 0 * * 0",
            "30 2 29 3 *",
            "30 2 * * 0",
            "0,30 2 25 10 *",
            "59 23 * * *",
            "* 2 * * *",
        ];
        for cron in crons {
            for day in [SPRING, AUTUMN] {
                let parsed = Cron::from_str(cron).unwrap();
                let start: Zoned = day.parse().unwrap();
                let end = start.tomorrow().unwrap();
                let found = parsed.iter_from(start, Direction::Forward);
                let found = found.take_while(|minute| *minute < end);
                let found: Vec<String> = found
                    .map(|minute| minute.timestamp().strftime("%H:%M").to_string())
                    .collect();
                assert_eq!(occurrences(cron, day), found, "{cron} {day}");
            }
        }
    }

    #[test]
    fn a_day_that_never_comes_is_no_search() {
        assert_eq!(occurrences("0 0 30 2 *", SPRING), [""; 0]);
    }
}
