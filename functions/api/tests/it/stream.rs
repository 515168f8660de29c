//! The stream of a run, in paused time: it goes on by itself when nothing else is to be done.

use std::time::Duration;

use axum::{body::BodyDataStream, response::Response};
use futures::StreamExt;
use http::{
    Method,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use proptest::{prelude::*, test_runner::TestCaseError};
use serde_json::{Value, json};
use shared::{
    ids::{ExecutionId, OrgId, Uid},
    models::{ExecutionStatus, User},
    store::{
        DocumentPath, Versioned, Write,
        document_db::{Operation, Precondition},
        executions, users,
    },
    testing::assert_security_headers,
};
use tokio::time::Instant;

use crate::{
    app::{TestApp, empty, request},
    seeds,
    table::seeded_app,
};

/// What a client has received of a stream.
pub(crate) struct Client {
    body: BodyDataStream,
    text: String,
}

#[derive(Debug)]
pub(crate) struct Received {
    id: Option<i64>,
    pub(crate) name: String,
    pub(crate) data: Value,
}

impl Client {
    async fn open(app: &TestApp, id: &str, last: Option<i64>) -> Self {
        let path = format!("/executions/{id}/stream");
        let mut request = request(Method::GET, &path, "viewer");
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        Self::of(app.open(empty(request)).await)
    }

    pub(crate) fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        }
    }

    /// The next event, comments left out; none at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Received> {
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                if let Some(event) = parse(&event) {
                    return Some(event);
                }
            }
            let chunk = self.body.next().await?.unwrap();
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn all(&mut self) -> Vec<Received> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

/// As a client reads it
/// (<https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>).
fn parse(event: &str) -> Option<Received> {
    let field = |name: &str| {
        let mut lines = event.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    Some(Received {
        id: field("id").map(|id| id.parse().unwrap()),
        name: field("event")?.to_owned(),
        data: serde_json::from_str(field("data")?).unwrap(),
    })
}

fn summary(events: &[Received]) -> Vec<String> {
    let told = |event: &Received| match event.name.as_str() {
        "log" => event.id.unwrap().to_string(),
        name => format!("{name} {}", event.data["status"].as_str().unwrap()),
    };
    events.iter().map(told).collect()
}

fn id(text: &str) -> ExecutionId {
    ExecutionId::parse(text).unwrap()
}

async fn append(app: &TestApp, execution: &str, lines: impl Iterator<Item = i64>) {
    let create = |seq| executions::create_log_line(&id(execution), &seeds::log_line(seq)).unwrap();
    app.store.commit(lines.map(create).collect()).await.unwrap();
}

async fn set_status(app: &TestApp, execution: &str, status: ExecutionStatus) {
    let org_id = OrgId::parse("o1").unwrap();
    let found = app.store.find_execution(&org_id, &id(execution)).await;
    let mut execution = found.unwrap().unwrap();
    execution.value.status = status;
    let write = executions::replace(&execution).unwrap();
    app.store.commit(vec![write]).await.unwrap();
}

type Change = fn(&mut Versioned<User>) -> Write;

async fn change_user(app: &TestApp, uid: &str, change: Change) {
    let user = app.store.find_user(&Uid::parse(uid).unwrap()).await;
    let mut user = user.unwrap().unwrap();
    app.store.commit(vec![change(&mut user)]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_ended_run_is_shown_as_a_whole() {
    let app = seeded_app().await;
    let request = request(Method::GET, "/executions/ended/stream", "viewer");
    let response = app.open(empty(request)).await;
    assert_security_headers(response.headers(), "stream");
    assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
    assert_eq!(response.headers()[CACHE_CONTROL], "no-cache");
    let events = Client::of(response).all().await;
    assert_eq!(
        summary(&events),
        ["status succeeded", "1", "2", "end succeeded"]
    );
    let line = app.get("viewer", "/executions/ended/logs").await.body;
    assert_eq!(events[1].data, line["items"][0]);
    assert!(
        events
            .iter()
            .all(|event| (event.name == "log") == event.id.is_some())
    );
    let listed = app.get("viewer", "/executions?status=succeeded").await.body;
    assert_eq!(events[0].data, listed["items"][0]);
}

#[tokio::test(start_paused = true)]
async fn a_run_is_watched_from_its_trigger_to_its_end() {
    let app = TestApp::new().await;
    app.store.commit(vec![seeds::trigger("e1")]).await.unwrap();
    let mut client = Client::open(&app, "e1", None).await;
    let mut seen = Vec::from_iter(client.next().await);
    assert_eq!(seen[0].data["id"], "e1");

    let begun = seeds::execution("e1", ExecutionStatus::Running, 0);
    let is_trigger = |write: &Write| write.path.as_str().starts_with("triggers/");
    let begun = begun.into_iter().filter(|write| !is_trigger(write));
    app.store.commit(begun.collect()).await.unwrap();
    for _ in 0..3 {
        seen.extend(client.next().await);
    }
    set_status(&app, "e1", ExecutionStatus::Waiting).await;
    seen.extend(client.next().await);
    append(&app, "e1", 3..=4).await;
    set_status(&app, "e1", ExecutionStatus::Failed).await;
    seen.extend(client.all().await);
    let expected = [
        "status queued",
        "status running",
        "1",
        "2",
        "status waiting",
        "status failed",
        "3",
        "4",
        "end failed",
    ];
    assert_eq!(summary(&seen), expected);
}

#[tokio::test(start_paused = true)]
async fn the_header_tells_what_was_seen_or_else_the_query() {
    let app = seeded_app().await;
    let table = [
        (None, "", 2),
        (Some("0"), "", 2),
        (Some("1"), "", 1),
        (Some("2"), "", 0),
        (Some("9"), "", 0),
        (None, "?lastEventId=1", 1),
        (Some("2"), "?lastEventId=0", 0),
    ];
    for (header, query, lines) in table {
        let path = format!("/executions/ended/stream{query}");
        let mut request = request(Method::GET, &path, "viewer");
        if let Some(header) = header {
            request = request.header("Last-Event-ID", header);
        }
        let mut client = Client::of(app.open(empty(request)).await);
        let events = client.all().await;
        let shown = events.iter().filter(|event| event.name == "log").count();
        assert_eq!(shown, lines, "{header:?} {query}");
        assert_eq!(events.last().unwrap().name, "end");
    }
}

#[tokio::test(start_paused = true)]
async fn a_malformed_place_is_refused_by_name() {
    let app = seeded_app().await;
    for header in ["", "x", "-1", "1.5", "4294967296", "1 2", "ä"] {
        let request = request(Method::GET, "/executions/ended/stream", "viewer");
        let request = request.header("Last-Event-ID", header);
        let answer = app.send(empty(request)).await;
        assert_eq!(answer.refusal(), (400, "invalid_argument"), "{header}");
        assert_eq!(answer.fields(), ["Last-Event-ID"]);
    }
    let twice = request(Method::GET, "/executions/ended/stream", "viewer");
    let twice = twice.header("Last-Event-ID", 1).header("Last-Event-ID", 2);
    assert_eq!(app.send(empty(twice)).await.fields(), ["Last-Event-ID"]);
    let path = "/executions/ended/stream?lastEventId=x";
    let query = app.get("viewer", path).await;
    assert_eq!(query.fields(), ["lastEventId"]);
}

#[tokio::test(start_paused = true)]
async fn a_long_run_is_shown_for_a_while_with_signs_of_life() {
    let app = seeded_app().await;
    let started = Instant::now();
    let answer = app.get("viewer", "/executions/running/stream").await;
    let text = String::from_utf8(answer.bytes.to_vec()).unwrap();
    let lasted = started.elapsed();
    assert!(lasted >= Duration::from_secs(50), "{lasted:?}");
    assert!(
        lasted < Duration::from_secs(60),
        "the edge's limit: {lasted:?}"
    );
    let signs = text.lines().filter(|line| *line == ":").count();
    assert_eq!(signs, 3, "{text}");
    assert!(text.contains("retry: 1000\n"), "{text}");
    assert!(!text.contains("event: end"), "the client is to come again");
}

#[tokio::test(start_paused = true)]
async fn news_are_shown_within_two_seconds_after_a_long_silence() {
    let app = seeded_app().await;
    let mut client = Client::open(&app, "running", Some(2)).await;
    client.next().await.unwrap();
    let silence = tokio::time::timeout(Duration::from_secs(21), client.next()).await;
    assert!(silence.is_err());
    append(&app, "running", 3..=3).await;
    let since = Instant::now();
    assert_eq!(client.next().await.unwrap().id, Some(3));
    assert!(
        since.elapsed() <= Duration::from_secs(2),
        "{:?}",
        since.elapsed()
    );
    append(&app, "running", 4..=4).await;
    let since = Instant::now();
    assert_eq!(client.next().await.unwrap().id, Some(4));
    assert!(
        since.elapsed() <= Duration::from_millis(250),
        "{:?}",
        since.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn who_may_not_watch_any_more_is_cut_off_within_thirty_seconds() {
    let changes: [(&str, Change); 3] = [
        ("disabled", |user| {
            user.value.disabled = true;
            users::set_membership(user).unwrap()
        }),
        ("elsewhere", |user| {
            user.value.organization_id = OrgId::parse("o2").unwrap();
            users::set_membership(user).unwrap()
        }),
        ("signed out", |user| {
            users::end_sessions(user, seeds::now().plus_seconds(1)).unwrap()
        }),
    ];
    for (what, change) in changes {
        let app = seeded_app().await;
        let mut client = Client::open(&app, "running", None).await;
        for _ in 0..3 {
            client.next().await.unwrap();
        }
        change_user(&app, "viewer", change).await;
        let since = Instant::now();
        assert!(client.next().await.is_none(), "{what}");
        assert!(since.elapsed() < Duration::from_secs(30), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_deleted_or_cannot_be_read_ends_its_stream() {
    let app = seeded_app().await;
    let mut client = Client::open(&app, "running", Some(2)).await;
    client.next().await.unwrap();
    set_status(&app, "running", ExecutionStatus::Waiting).await;
    client.next().await.unwrap();
    let writes = ["executions", "triggers"].map(|collection| Write {
        path: DocumentPath::new(collection, "running"),
        operation: Operation::Delete,
        precondition: Precondition::Exists,
    });
    app.store.commit(writes.into()).await.unwrap();
    assert!(client.next().await.is_none());

    let app = seeded_app().await;
    let mut client = Client::open(&app, "running", Some(2)).await;
    client.next().await.unwrap();
    app.db.fail_all(true);
    assert!(client.next().await.is_none());
}

/// Lines that come in bursts, while a client is cut off after any number of bytes and comes again.
async fn lines_of_cut_streams(bursts: &[i64], cuts: &[usize]) -> Result<(), TestCaseError> {
    let app = TestApp::new().await;
    let writes = seeds::execution("e1", ExecutionStatus::Running, 0);
    app.store.commit(writes).await.unwrap();
    let (mut written, mut seen) = (2, Vec::new());
    let mut bursts = bursts.iter();
    let mut cuts = cuts.iter();
    loop {
        match bursts.next() {
            Some(burst) => {
                append(&app, "e1", written + 1..=written + burst).await;
                written += burst;
            }
            None => set_status(&app, "e1", ExecutionStatus::Succeeded).await,
        }
        let mut client = Client::open(&app, "e1", seen.last().copied()).await;
        let left = cuts.next().copied().unwrap_or(usize::MAX);
        let is_over = read_at_most(&mut client, left, &mut seen).await;
        if is_over {
            break;
        }
    }
    prop_assert_eq!(seen, (1..=written).collect::<Vec<_>>());
    Ok(())
}

/// Keeps the lines that come as a whole before the connection breaks after so many bytes; whether
/// the stream told its end before.
async fn read_at_most(client: &mut Client, mut left: usize, seen: &mut Vec<i64>) -> bool {
    let mut text = String::new();
    let patience = Duration::from_secs(5);
    while let Ok(Some(chunk)) = tokio::time::timeout(patience, client.body.next()).await {
        let chunk = chunk.unwrap();
        let kept = chunk.len().min(left);
        text.push_str(std::str::from_utf8(&chunk[..kept]).unwrap());
        left -= kept;
        if left == 0 {
            break;
        }
    }
    let mut is_over = false;
    let whole = text.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
    for event in whole.split("\n\n").filter_map(parse) {
        seen.extend(event.id);
        is_over |= event.name == "end";
    }
    is_over
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_client_that_comes_again_sees_every_line_once(
        bursts in prop::collection::vec(0_i64..300, 0..6),
        cuts in prop::collection::vec(0_usize..40_000, 0..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(lines_of_cut_streams(&bursts, &cuts))?;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_stream_shows_of_a_run_is_not_its_lease_or_its_data() {
    let app = seeded_app().await;
    let mut client = Client::open(&app, "ended", None).await;
    let status = client.next().await.unwrap().data;
    assert_eq!(status["workflowName"], json!("Triage"));
    for field in ["lease", "input", "output"] {
        assert!(status.get(field).is_none(), "{field}");
    }
}
