use serde_json::{Value, json};
use shared::connectors::Error;
use wiremock::ResponseTemplate;

use crate::google::fake::{Google, Reply, reply, unchecked};

const MESSAGES: &str = "gmail.users.messages.list";
const FILES: &str = "drive.files.list";

/// An action, and the call of it that fails.
pub(super) struct Case {
    pub(super) action: &'static str,
    pub(super) input: Value,
    pub(super) method: &'static str,
    /// Calls before, which find nothing.
    pub(super) before: Option<&'static str>,
    pub(super) is_read: bool,
}

impl Case {
    fn read(action: &'static str, method: &'static str, input: Value) -> Self {
        Self {
            action,
            input,
            method,
            before: None,
            is_read: true,
        }
    }

    fn write(action: &'static str, method: &'static str, input: Value) -> Self {
        Self {
            is_read: false,
            ..Self::read(action, method, input)
        }
    }

    fn after(self, method: &'static str) -> Self {
        Self {
            before: Some(method),
            ..self
        }
    }

    pub(super) fn answers_before(&self) -> impl Iterator<Item = Reply> {
        self.before
            .map(|method| reply(method, json!({})))
            .into_iter()
    }

    pub(super) async fn against(&self, google: &Google, response: ResponseTemplate) -> Error {
        let last = unchecked(self.method, response);
        google.script(self.answers_before().chain([last]));
        let result = google.perform(self.action, self.input.clone()).await;
        result.unwrap_err()
    }
}

/// Every action, in the order of the catalogue.
pub(super) fn cases() -> Vec<Case> {
    mail()
        .into_iter()
        .chain(times())
        .chain(files())
        .chain(cells())
        .collect()
}

fn mail() -> [Case; 3] {
    let get = "gmail.users.messages.get";
    let send = "gmail.users.messages.send";
    let mail = json!({ "to": ["a@b.example"], "subject": "s", "text": "t" });
    [
        Case::read("google.gmail.search", MESSAGES, json!({ "query": "q" })),
        Case::read("google.gmail.get", get, json!({ "messageId": "m" })),
        Case::write("google.gmail.send", send, mail).after(MESSAGES),
    ]
}

fn times() -> [Case; 2] {
    let (from, to) = ("2026-12-01T10:00:00Z", "2026-12-01T11:00:00Z");
    let span = json!({ "from": from, "to": to });
    let appointment = json!({ "summary": "s", "start": from, "end": to });
    let insert = "calendar.events.insert";
    [
        Case::read("google.calendar.freebusy", "calendar.freebusy.query", span),
        Case::write("google.calendar.create", insert, appointment),
    ]
}

fn files() -> [Case; 3] {
    let create = "drive.files.create";
    let file = json!({ "name": "n", "content": "c" });
    let document = json!({ "title": "t", "content": "c" });
    [
        Case::read("google.drive.list", FILES, json!({})),
        Case::write("google.drive.create", create, file).after(FILES),
        Case::write("google.docs.create", create, document).after(FILES),
    ]
}

fn cells() -> [Case; 2] {
    let get = "sheets.spreadsheets.values.get";
    let append = "sheets.spreadsheets.values.append";
    let cells = json!({ "spreadsheetId": "s", "range": "A1" });
    let rows = json!({ "spreadsheetId": "s", "range": "A1", "rows": [["a"]] });
    [
        Case::read("google.sheets.read", get, cells),
        Case::write("google.sheets.append", append, rows),
    ]
}
