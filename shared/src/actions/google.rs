use super::{Action, AnyOf, Effect, Field, FieldKind};
use crate::models::IntegrationService;

const MAIL_READ: AnyOf = &["https://www.googleapis.com/auth/gmail.readonly"];
const MAIL_SEND: AnyOf = &["https://www.googleapis.com/auth/gmail.send"];
const FILES: &str = "https://www.googleapis.com/auth/drive.file";
const ALL_FILES: &str = "https://www.googleapis.com/auth/drive.readonly";
const SPREADSHEETS: &str = "https://www.googleapis.com/auth/spreadsheets";

pub(crate) const GMAIL_READ: &[AnyOf] = &[MAIL_READ];
/// Who may not read cannot look whether a mail was sent.
const GMAIL_SEND: &[AnyOf] = &[MAIL_SEND, MAIL_READ];
const CALENDAR: &[AnyOf] = &[&["https://www.googleapis.com/auth/calendar"]];
pub(crate) const DRIVE_READ: &[AnyOf] = &[&[FILES, ALL_FILES]];
/// Also for looking: what the application has made are files of its own.
const DRIVE: &[AnyOf] = &[&[FILES]];
const SHEETS_READ: &[AnyOf] = &[&[SPREADSHEETS, ALL_FILES]];
const SHEETS: &[AnyOf] = &[&[SPREADSHEETS]];

const fn action(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    effect: Effect,
    scopes: &'static [AnyOf],
    fields: &'static [Field],
) -> Action {
    Action {
        name,
        service: IntegrationService::Google,
        title,
        description,
        effect,
        asks_first: false,
        scopes,
        fields,
    }
}

/// What agents and workflows do in Google Workspace.
pub(super) const ACTIONS: &[Action] = &[
    action(
        "google.gmail.search",
        "Search mail",
        "Finds messages; gives their ids and threads.",
        Effect::Read,
        GMAIL_READ,
        &[
            Field::required("query", FieldKind::Text, "As in Gmail's search box."),
            Field::optional(
                "limit",
                FieldKind::Integer {
                    least: 1,
                    most: 500,
                },
                "The most messages; 20 unless told.",
            ),
        ],
    ),
    action(
        "google.gmail.get",
        "Read a mail",
        "Reads one message: sender, subject, date and text.",
        Effect::Read,
        GMAIL_READ,
        &[Field::required(
            "messageId",
            FieldKind::Text,
            "The message.",
        )],
    ),
    Action {
        asks_first: true,
        ..action(
            "google.gmail.send",
            "Send a mail",
            "Sends a message, or answers one.",
            Effect::Searched,
            GMAIL_SEND,
            &[
                Field::required("to", FieldKind::Texts, "Addresses."),
                Field::optional("cc", FieldKind::Texts, "Addresses of copies."),
                Field::required("subject", FieldKind::Text, "The subject."),
                Field::required("text", FieldKind::Text, "The body, as plain text."),
                Field::optional("html", FieldKind::Text, "The body, as HTML."),
                Field::optional(
                    "threadId",
                    FieldKind::Text,
                    "The thread that it belongs to.",
                ),
                Field::optional(
                    "inReplyTo",
                    FieldKind::Text,
                    "The `Message-ID` header of the message that it answers.",
                ),
            ],
        )
    },
    action(
        "google.calendar.freebusy",
        "Find busy times",
        "Tells when calendars are busy.",
        Effect::Read,
        CALENDAR,
        &[
            Field::required(
                "from",
                FieldKind::Instant,
                "The begin of the time looked at.",
            ),
            Field::required("to", FieldKind::Instant, "Its end."),
            Field::optional(
                "calendars",
                FieldKind::Texts,
                "Calendars; `primary` unless told.",
            ),
            Field::optional("timeZone", FieldKind::Text, "An IANA name, for the answer."),
        ],
    ),
    Action {
        asks_first: true,
        ..action(
            "google.calendar.create",
            "Create an appointment",
            "Puts an appointment into a calendar, and invites its guests.",
            Effect::Keyed,
            CALENDAR,
            &[
                Field::required("summary", FieldKind::Text, "The title."),
                Field::required("start", FieldKind::Instant, "The begin."),
                Field::required("end", FieldKind::Instant, "The end."),
                Field::optional("timeZone", FieldKind::Text, "An IANA name."),
                Field::optional("details", FieldKind::Text, "What it is about."),
                Field::optional("location", FieldKind::Text, "Where it is."),
                Field::optional("attendees", FieldKind::Texts, "Addresses of guests."),
                Field::optional("notify", FieldKind::Flag, "Whether guests get a mail."),
                Field::optional(
                    "calendar",
                    FieldKind::Text,
                    "The calendar; `primary` unless told.",
                ),
            ],
        )
    },
    action(
        "google.drive.list",
        "List files",
        "Lists the files that this application made or the user picked.",
        Effect::Read,
        DRIVE_READ,
        &[
            Field::optional("query", FieldKind::Text, "As the Drive API's `q`."),
            Field::optional(
                "limit",
                FieldKind::Integer {
                    least: 1,
                    most: 1_000,
                },
                "The most files; 100 unless told.",
            ),
        ],
    ),
    action(
        "google.drive.create",
        "Create a file",
        "Makes a file with text in it.",
        Effect::Searched,
        DRIVE,
        &[
            Field::required("name", FieldKind::Text, "The file's name."),
            Field::optional(
                "mimeType",
                FieldKind::Text,
                "What it is; `text/plain` unless told.",
            ),
            Field::required("content", FieldKind::Text, "What is in it."),
            Field::optional("folderId", FieldKind::Text, "The folder."),
        ],
    ),
    action(
        "google.docs.create",
        "Create a document",
        "Makes a Google document from text or Markdown.",
        Effect::Searched,
        DRIVE,
        &[
            Field::required("title", FieldKind::Text, "The document's name."),
            Field::required("content", FieldKind::Text, "What is in it."),
            Field::optional(
                "format",
                FieldKind::Choice(&["text", "markdown"]),
                "What the content is; `markdown` unless told.",
            ),
            Field::optional("folderId", FieldKind::Text, "The folder."),
        ],
    ),
    action(
        "google.sheets.read",
        "Read cells",
        "Reads a range of a spreadsheet.",
        Effect::Read,
        SHEETS_READ,
        &[
            Field::required("spreadsheetId", FieldKind::Text, "The spreadsheet."),
            Field::required("range", FieldKind::Text, "In A1 notation: `Sheet1!A1:C10`."),
        ],
    ),
    action(
        "google.sheets.append",
        "Append rows",
        "Appends rows to a table in a spreadsheet. What could be read as a formula is kept as text.",
        Effect::Once,
        SHEETS,
        &[
            Field::required("spreadsheetId", FieldKind::Text, "The spreadsheet."),
            Field::required(
                "range",
                FieldKind::Text,
                "Where the table is, in A1 notation.",
            ),
            Field::required(
                "rows",
                FieldKind::Any,
                "A list of rows, each a list of cells.",
            ),
            Field::optional(
                "allowFormulas",
                FieldKind::Flag,
                "Whether text that begins like a formula becomes one.",
            ),
        ],
    ),
];
