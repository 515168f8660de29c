use shared::{
    ids::RecordId,
    store::usage_ledger,
    testing::{memory_store, usage_entry},
};

use super::*;

fn parse(from: Option<&str>, to: Option<&str>) -> Result<(String, String), Error> {
    let now: jiff::Timestamp = "2026-11-23T23:59:59Z".parse().unwrap();
    let range = DayRange::parse(from, to, now.into())?;
    Ok((range.from.to_string(), range.to.to_string()))
}

#[test]
fn the_current_month_is_the_default() {
    let range = parse(None, None).unwrap();
    assert_eq!(range, ("2026-11-01".to_owned(), "2026-11-23".to_owned()));
}

#[test]
fn a_range_may_have_a_leap_year_and_no_day_more() {
    assert!(parse(Some("2024-01-01"), Some("2024-12-31")).is_ok());
    assert!(parse(Some("2024-01-01"), Some("2025-01-01")).is_err());
}

#[test]
fn days_that_are_none_are_refused_with_their_name() {
    for text in [
        "2026-02-30",
        "20261101",
        "2026-11-01T00:00:00",
        "-009999-01-02",
        "yesterday",
        "",
    ] {
        let error = parse(Some(text), None).unwrap_err();
        assert!(
            matches!(&error, Error::Invalid(problems) if problems[0].field == "from"),
            "{text}"
        );
    }
    assert!(parse(Some("2026-11-02"), Some("2026-11-01")).is_err());
}

fn range(from: &str, to: &str) -> DayRange {
    DayRange {
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
    }
}

#[test]
fn parts_of_a_range_have_each_of_its_days_once() {
    for (from, to) in [
        ("2026-11-23", "2026-11-23"),
        ("2026-11-23", "2026-11-25"),
        ("2026-11-01", "2026-11-30"),
        ("2024-01-01", "2024-12-31"),
    ] {
        let range = range(from, to);
        let parts: Vec<DayRange> = range.parts().collect();
        assert!(parts.len() <= 8, "{parts:?}");
        assert_eq!(
            (parts[0].from, parts.last().unwrap().to),
            (range.from, range.to)
        );
        for pair in parts.windows(2) {
            assert_eq!(pair[0].to.tomorrow().unwrap(), pair[1].from);
        }
        assert!(parts.iter().all(|part| part.from <= part.to));
    }
}

/// A store with a call on each day of a year.
async fn year() -> (Store, OrgId) {
    let ((store, _), org_id) = (memory_store(), OrgId::parse("o1").unwrap());
    let mut day: Date = "2026-01-01".parse().unwrap();
    let mut writes = Vec::new();
    while day.year() == 2026 {
        let at = jiff::Timestamp::UNIX_EPOCH.into();
        let id = RecordId::parse(format!("u-{day}")).unwrap();
        let entry = usage_entry(id, org_id.clone(), &day.to_string(), at);
        writes.push(usage_ledger::create(&entry).unwrap());
        day = day.tomorrow().unwrap();
    }
    store.commit(writes).await.unwrap();
    (store, org_id)
}

#[tokio::test]
async fn the_parts_of_a_year_come_to_its_sum() {
    let (store, org_id) = year().await;
    let range = range("2026-01-01", "2026-12-31");
    let sums = sum_up(&store, &org_id, range, GroupBy::Day, 365)
        .await
        .unwrap();
    let summary = sums.summarize();
    assert_eq!((summary.totals.requests, summary.groups.len()), (365, 365));
}

#[tokio::test]
async fn more_calls_than_a_request_can_read_are_refused_before_they_are_read() {
    let (store, org_id) = year().await;
    let ask = |to| sum_up(&store, &org_id, range("2026-01-01", to), GroupBy::Model, 30);
    assert!(ask("2026-01-30").await.is_ok());
    let Err(Error::Invalid(problems)) = ask("2026-01-31").await else {
        panic!("31 calls are summed up");
    };
    assert_eq!(problems[0].field, "to");
    assert!(problems[0].message.contains("ask for fewer days"));
}
