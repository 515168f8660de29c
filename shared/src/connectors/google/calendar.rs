//! Calendar v3 (<https://developers.google.com/workspace/calendar/api/v3/reference>).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::call::{Session, read, segment, write};
use crate::{
    connectors::{Error, input::refused, mail_address},
    ids::fingerprint,
    models::Timestamp,
};

const PRIMARY: &str = "primary";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Span {
    from: Timestamp,
    to: Timestamp,
    calendars: Option<Vec<String>>,
    time_zone: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Appointment {
    summary: String,
    start: Timestamp,
    end: Timestamp,
    time_zone: Option<String>,
    details: Option<String>,
    location: Option<String>,
    #[serde(default)]
    attendees: Vec<String>,
    #[serde(default)]
    notify: bool,
    calendar: Option<String>,
}

#[derive(Deserialize)]
struct FreeBusy {
    #[serde(default)]
    calendars: BTreeMap<String, CalendarTimes>,
}

#[derive(Deserialize)]
struct CalendarTimes {
    #[serde(default)]
    busy: Vec<Period>,
    #[serde(default)]
    errors: Vec<Problem>,
}

#[derive(Deserialize, Serialize)]
struct Period {
    start: Option<String>,
    end: Option<String>,
}

#[derive(Deserialize)]
struct Problem {
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    id: Option<String>,
    status: Option<String>,
    html_link: Option<String>,
}

/// When calendars are busy. One that cannot be read has an `error` and no `busy`, so that nobody
/// takes it for free.
pub(super) async fn free_busy(session: &Session<'_>, span: Span) -> Result<Value, Error> {
    if span.to <= span.from {
        return Err(refused("to", "is not after `from`"));
    }
    let calendars = span.calendars.filter(|names| !names.is_empty());
    let calendars = calendars.unwrap_or_else(|| vec![PRIMARY.to_owned()]);
    let items: Vec<Value> = calendars.iter().map(|id| json!({ "id": id })).collect();
    let mut body = json!({ "timeMin": span.from, "timeMax": span.to, "items": items });
    if let Some(time_zone) = span.time_zone {
        body["timeZone"] = json!(time_zone);
    }
    let request = session.post(&session.config.apis, "/calendar/v3/freeBusy");
    let answer: FreeBusy = read(request.json(&body)).await?;
    let told = |(id, times): (String, CalendarTimes)| match times.errors.into_iter().next() {
        Some(problem) => (id, json!({ "error": problem.reason.unwrap_or_default() })),
        None => (id, json!({ "busy": times.busy })),
    };
    let calendars: Map<String, Value> = answer.calendars.into_iter().map(told).collect();
    Ok(json!({ "calendars": calendars }))
}

/// Puts an appointment into a calendar under an id that is the key's, so that a second one is
/// refused by Google and the first is found.
pub(super) async fn create(
    session: &Session<'_>,
    appointment: Appointment,
    key: &str,
) -> Result<Value, Error> {
    if appointment.end <= appointment.start {
        return Err(refused("end", "is not after `start`"));
    }
    mail_address::check_all("attendees", &appointment.attendees)?;
    // Hexadecimal digits are among the characters that Google allows: `a` to `v` and digits.
    let id = fingerprint(&["google.calendar.create", key]);
    let calendar = appointment.calendar.as_deref().unwrap_or(PRIMARY);
    let path = format!(
        "/calendar/v3/calendars/{}/events",
        segment("calendar", calendar)?
    );
    let send_updates = if appointment.notify { "all" } else { "none" };
    let request = session
        .post(&session.config.apis, &path)
        .query(&[("sendUpdates", send_updates)])
        .json(&appointment.to_event(&id));
    let event: Event = match write(request).await {
        Err(Error::Rejected { status: 409, .. }) => {
            let path = format!("{path}/{id}");
            read(session.get(&session.config.apis, &path)).await?
        }
        result => result?,
    };
    Ok(json!({
        "eventId": event.id.unwrap_or(id),
        "status": event.status,
        "link": event.html_link,
    }))
}

impl Appointment {
    fn to_event(&self, id: &str) -> Value {
        let mut event = json!({
            "id": id,
            "summary": self.summary,
            "start": self.to_time(self.start),
            "end": self.to_time(self.end),
        });
        let texts = [("description", &self.details), ("location", &self.location)];
        for (name, text) in texts {
            if let Some(text) = text {
                event[name] = json!(text);
            }
        }
        if !self.attendees.is_empty() {
            let guests = self.attendees.iter().map(|email| json!({ "email": email }));
            event["attendees"] = guests.collect();
        }
        event
    }

    fn to_time(&self, instant: Timestamp) -> Value {
        let mut time = json!({ "dateTime": instant });
        if let Some(time_zone) = &self.time_zone {
            time["timeZone"] = json!(time_zone);
        }
        time
    }
}
