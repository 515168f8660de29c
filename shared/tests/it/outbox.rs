//! A row of the outbox is sent at most once.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use shared::{
    email::Error,
    ids::{RecordId, Uid},
    models::{OutboxMessage, OutboxRow, OutboxState},
    outbox::{Dispatcher, Outcome},
    provision::{NewUser, ensure_user},
    store::{self, Store},
    testing::{FixedClock, RecordingMailer, invitation_links, memory_store, trail},
};

use crate::support::{CALLER, time};

const NOW: &str = "2026-11-23T12:00:00Z";

struct Fixture {
    store: Store,
    clock: FixedClock,
    mailer: Arc<RecordingMailer>,
    dispatcher: Dispatcher,
    id: RecordId,
}

impl Fixture {
    async fn new(failures: impl IntoIterator<Item = Error>) -> Self {
        let ((store, _db), clock) = (memory_store(), FixedClock::at(NOW));
        let mailer = Arc::new(RecordingMailer::new());
        failures
            .into_iter()
            .for_each(|error| mailer.fail_next(error));
        let new_user = NewUser {
            uid: Uid::parse("u1").unwrap(),
            email: Some("ada@example.com".to_owned()),
            email_verified: false,
            display_name: Some("Ada <b>".to_owned()),
        };
        let provisioned = ensure_user(&store, &trail(&store), new_user, time(NOW))
            .await
            .unwrap();
        let dispatcher = Dispatcher::new(
            store.clone(),
            mailer.clone(),
            invitation_links(),
            clock.shared(),
        );
        Self {
            store,
            clock,
            mailer,
            dispatcher,
            id: provisioned.outbox_id.unwrap(),
        }
    }

    async fn dispatch(&self) -> Outcome {
        self.dispatcher.dispatch(&CALLER, &self.id).await.unwrap()
    }

    async fn row(&self) -> OutboxRow {
        self.store
            .find_outbox_row(&CALLER, &self.id)
            .await
            .unwrap()
            .unwrap()
            .value
    }

    fn mails(&self) -> usize {
        self.mailer.sent().len()
    }
}

fn unavailable() -> Error {
    Error::Unavailable("status 503".into())
}

#[tokio::test]
async fn five_parallel_dispatches_send_one_mail() {
    let fixture = Fixture::new([]).await;
    let outcomes = join_all((0..5).map(|_| fixture.dispatch())).await;
    let sent = outcomes
        .iter()
        .filter(|outcome| **outcome == Outcome::Sent)
        .count();
    assert_eq!((sent, fixture.mails()), (1, 1));
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Sent | Outcome::Skipped))
    );
    assert_eq!(fixture.row().await.state, OutboxState::Sent);
}

#[tokio::test]
async fn a_sent_row_is_not_sent_again() {
    let fixture = Fixture::new([]).await;
    fixture.dispatch().await;
    fixture.clock.advance(Duration::from_secs(86_400));
    assert_eq!(fixture.dispatch().await, Outcome::Skipped);
    assert_eq!(fixture.dispatcher.sweep(&CALLER, 10).await.unwrap(), 0);
    assert_eq!(fixture.mails(), 1);
}

#[tokio::test]
async fn the_mail_is_addressed_when_it_is_sent() {
    let fixture = Fixture::new([]).await;
    fixture.dispatch().await;
    let mails = fixture.mailer.sent();
    assert_eq!(mails[0].to().as_str(), "ada@example.com");
    assert_eq!(mails[0].idempotency_key(), fixture.id.as_str());
    assert!(
        mails[0]
            .html()
            .contains("Ada &lt;b&gt;&#x27;s organization"),
        "{}",
        mails[0].html()
    );
}

#[tokio::test]
async fn a_mail_that_was_not_taken_is_sent_later() {
    let fixture = Fixture::new([unavailable()]).await;
    assert_eq!(fixture.dispatch().await, Outcome::Deferred);
    let row = fixture.row().await;
    assert_eq!((row.state, row.attempts), (OutboxState::Pending, 1));
    assert_eq!(row.last_error.as_deref(), Some("unavailable"));
    assert_eq!(fixture.dispatch().await, Outcome::Skipped, "not due yet");
    fixture.clock.advance(Duration::from_secs(30));
    assert_eq!(fixture.dispatcher.sweep(&CALLER, 10).await.unwrap(), 1);
    assert_eq!(
        (fixture.row().await.state, fixture.mails()),
        (OutboxState::Sent, 1)
    );
}

#[tokio::test]
async fn the_wait_that_the_provider_asks_for_is_kept() {
    let retry_after = Some(Duration::from_secs(600));
    let fixture = Fixture::new([Error::RateLimited { retry_after }]).await;
    fixture.dispatch().await;
    assert_eq!(fixture.row().await.due_at, time(NOW).plus_seconds(600));
}

#[tokio::test]
async fn ten_attempts_are_made_and_no_more() {
    let fixture = Fixture::new((0..20).map(|_| unavailable())).await;
    let mut outcomes = Vec::new();
    for _ in 0..12 {
        outcomes.push(fixture.dispatch().await);
        fixture.clock.advance(Duration::from_secs(3_600));
    }
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == Outcome::Deferred)
            .count(),
        9
    );
    assert_eq!(outcomes[9], Outcome::Failed);
    assert_eq!(
        (fixture.row().await.state, fixture.mails()),
        (OutboxState::Failed, 0)
    );
}

#[tokio::test]
async fn a_refused_mail_is_given_up() {
    let fixture = Fixture::new([Error::Rejected { status: 400 }]).await;
    assert_eq!(fixture.dispatch().await, Outcome::Failed);
    fixture.clock.advance(Duration::from_secs(86_400));
    assert_eq!(fixture.dispatch().await, Outcome::Skipped);
    assert_eq!(fixture.row().await.last_error.as_deref(), Some("rejected"));
}

#[tokio::test]
async fn a_mail_of_unknown_outcome_is_not_sent_again() {
    let fixture = Fixture::new([Error::Unknown("silence".into())]).await;
    assert_eq!(fixture.dispatch().await, Outcome::Unknown);
    fixture.clock.advance(Duration::from_secs(86_400));
    assert_eq!(fixture.dispatch().await, Outcome::Skipped);
    assert_eq!(
        (fixture.row().await.state, fixture.mails()),
        (OutboxState::Unknown, 1)
    );
}

#[tokio::test]
async fn a_row_whose_sender_died_is_unknown_and_not_sent() {
    let fixture = Fixture::new([]).await;
    let mut row = fixture
        .store
        .find_outbox_row(&CALLER, &fixture.id)
        .await
        .unwrap()
        .unwrap();
    row.value.state = OutboxState::Sending;
    row.value.attempts = 1;
    row.value.due_at = time(NOW).plus_seconds(120);
    let claim = store::outbox::replace(&row).unwrap();
    fixture.store.commit(vec![claim]).await.unwrap();
    assert_eq!(
        fixture.dispatch().await,
        Outcome::Skipped,
        "its sender may be alive"
    );
    fixture.clock.advance(Duration::from_secs(120));
    assert_eq!(fixture.dispatcher.sweep(&CALLER, 10).await.unwrap(), 1);
    assert_eq!(
        (fixture.row().await.state, fixture.mails()),
        (OutboxState::Unknown, 0)
    );
}

#[tokio::test]
async fn a_row_that_is_not_there_is_skipped() {
    let fixture = Fixture::new([]).await;
    let id = RecordId::derive(&["none"]);
    assert_eq!(
        fixture.dispatcher.dispatch(&CALLER, &id).await.unwrap(),
        Outcome::Skipped
    );
}

#[tokio::test]
async fn a_row_without_a_recipient_is_given_up() {
    let fixture = Fixture::new([]).await;
    let mut row = fixture.row().await;
    row.id = RecordId::derive(&["orphan"]);
    row.message = OutboxMessage::WelcomeEmail {
        uid: Uid::parse("gone").unwrap(),
    };
    fixture
        .store
        .commit(vec![store::outbox::create(&row).unwrap()])
        .await
        .unwrap();
    assert_eq!(
        fixture.dispatcher.dispatch(&CALLER, &row.id).await.unwrap(),
        Outcome::Failed
    );
    assert_eq!(fixture.mails(), 0);
}
