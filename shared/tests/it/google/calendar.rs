use serde_json::{Value, json};
use shared::connectors::Error;

use super::fake::{Google, failure, reply, unchecked};

const QUERY: &str = "calendar.freebusy.query";
const INSERT: &str = "calendar.events.insert";
const GET: &str = "calendar.events.get";

fn appointment() -> Value {
    json!({
        "summary": "Kickoff",
        "start": "2026-12-01T10:00:00Z",
        "end": "2026-12-01T10:30:00Z",
        "details": "Who does what.",
        "attendees": ["u@example.com"],
    })
}

#[tokio::test]
async fn busy_times_are_told_calendar_by_calendar() {
    let busy = json!([{ "start": "2026-12-01T10:00:00Z", "end": "2026-12-01T10:30:00Z" }]);
    let answer = json!({
        "kind": "calendar#freeBusy",
        "timeMin": "2026-12-01T00:00:00Z",
        "calendars": {
            "primary": { "busy": busy },
            "free@example.com": { "busy": [] },
            "gone@example.com": { "errors": [{ "domain": "global", "reason": "notFound" }], "busy": [] },
        },
    });
    let google = Google::answering([reply(QUERY, answer)]).await;
    let input = json!({
        "from": "2026-12-01T01:00:00+01:00",
        "to": "2026-12-02T00:00:00Z",
        "calendars": ["primary", "free@example.com", "gone@example.com"],
        "timeZone": "Europe/Berlin",
    });
    let (output, calls) = google.done("google.calendar.freebusy", input).await;
    let sent = json!({
        "timeMin": "2026-12-01T00:00:00Z",
        "timeMax": "2026-12-02T00:00:00Z",
        "timeZone": "Europe/Berlin",
        "items": [{ "id": "primary" }, { "id": "free@example.com" }, { "id": "gone@example.com" }],
    });
    assert_eq!(calls[0].body, sent);
    let told = json!({ "calendars": {
        "primary": { "busy": busy },
        "free@example.com": { "busy": [] },
        "gone@example.com": { "error": "notFound" },
    }});
    assert_eq!(output, told, "what cannot be read is not free");
}

#[tokio::test]
async fn the_users_own_calendar_is_looked_at_unless_told() {
    for calendars in [Value::Null, json!([])] {
        let google = Google::answering([reply(QUERY, json!({}))]).await;
        let input = json!({
            "from": "2026-12-01T00:00:00Z", "to": "2026-12-02T00:00:00Z", "calendars": calendars,
        });
        let (output, calls) = google.done("google.calendar.freebusy", input).await;
        assert_eq!(calls[0].body["items"], json!([{ "id": "primary" }]));
        assert_eq!(output, json!({ "calendars": {} }));
    }
}

#[tokio::test]
async fn an_appointment_is_made_under_an_id_of_the_key() {
    let mut ids = Vec::new();
    for notify in [true, false] {
        let answer = json!({ "id": "x", "status": "confirmed", "htmlLink": "https://c.example/x" });
        let google = Google::answering([reply(INSERT, answer)]).await;
        let mut input = appointment();
        input["notify"] = json!(notify);
        input["calendar"] = json!("team#1@group.calendar.google.com");
        let (output, calls) = google.done("google.calendar.create", input).await;
        assert_eq!(
            output,
            json!({ "eventId": "x", "status": "confirmed", "link": "https://c.example/x" })
        );
        let [call] = calls.as_slice() else {
            panic!("{calls:?}")
        };
        assert_eq!(
            call.parameter("calendarId"),
            Some("team#1@group.calendar.google.com")
        );
        assert_eq!(call.body["description"], "Who does what.");
        let told = if notify { "all" } else { "none" };
        assert_eq!(call.parameter("sendUpdates"), Some(told));
        let id = call.body["id"].as_str().unwrap();
        // `events.insert`: characters of base32hex, 5 to 1024 of them.
        let is_allowed = |c: char| matches!(c, 'a'..='v' | '0'..='9');
        assert!(
            id.chars().all(is_allowed) && (5..=1024).contains(&id.len()),
            "{id}"
        );
        ids.push(id.to_owned());
    }
    assert_eq!(ids[0], ids[1], "equal for equal keys");
}

#[tokio::test]
async fn an_appointment_that_was_made_before_is_found() {
    let earlier = json!({ "id": "earlier", "status": "cancelled" });
    let replies = [
        unchecked(INSERT, failure(409, "duplicate")),
        reply(GET, earlier),
    ];
    let google = Google::answering(replies).await;
    let (output, calls) = google.done("google.calendar.create", appointment()).await;
    assert_eq!(
        output,
        json!({ "eventId": "earlier", "status": "cancelled", "link": null })
    );
    assert_eq!(calls[1].parameter("eventId"), calls[0].body["id"].as_str());
}

#[tokio::test]
async fn times_that_run_backwards_are_refused_unsent() {
    let mut backwards = appointment();
    backwards["end"] = backwards["start"].clone();
    let span = json!({ "from": "2026-12-02T00:00:00Z", "to": "2026-12-01T00:00:00Z" });
    let rows = [
        ("google.calendar.create", backwards, "end"),
        ("google.calendar.freebusy", span, "to"),
    ];
    for (action, input, place) in rows {
        let error = Google::answering([])
            .await
            .perform(action, input)
            .await
            .unwrap_err();
        assert!(
            matches!(&error, Error::Input { field, .. } if field == place),
            "{error}"
        );
    }
}

#[tokio::test]
async fn guests_are_addresses() {
    let mut input = appointment();
    input["attendees"] = json!(["a@b.example", "Ada\r\n"]);
    let google = Google::answering([]).await;
    let error = google
        .perform("google.calendar.create", input)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::Input { field, .. } if field == "attendees[1]"),
        "{error}"
    );
}
