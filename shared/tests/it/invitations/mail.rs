use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use shared::{
    config::Env,
    crypto::{self, LocalMac, MacKey, SecretTag},
    ids::RecordId,
    invitation::{AppUrl, LIFETIME_SECS, Links, Token, Tokens},
    models::{Invitation, OutboxRow, OutboxState, Role},
    outbox::{self, Dispatcher, Outcome},
    store::{self, invitations},
    testing::{APP_URL, FixedClock, RecordingMailer, invitation_links},
};

use super::{ADDRESS, Fixture, NOW};
use crate::support::{CALLER, time};

/// Links into the application with tokens of this key.
fn links(key: Arc<dyn MacKey>) -> Links {
    let env = Env::from_pairs([("APP_URL", APP_URL)]);
    Links::new(Tokens::new(key), AppUrl::load(&env).unwrap())
}

/// An outbox with the mail of one invitation.
struct Outbox {
    fixture: Fixture,
    invitation: Invitation,
    id: RecordId,
    mailer: Arc<RecordingMailer>,
    clock: FixedClock,
    dispatcher: Dispatcher,
}

impl Outbox {
    async fn new(links: Links) -> Self {
        let fixture = Fixture::new().await;
        let invitation = fixture.invite(Role::Viewer, 0).await;
        let row = outbox::invitation(&invitation, time(NOW));
        let write = store::outbox::create(&row).unwrap();
        fixture.store.commit(vec![write]).await.unwrap();
        let (mailer, clock) = (Arc::new(RecordingMailer::new()), FixedClock::at(NOW));
        let (store, sink) = (fixture.store.clone(), mailer.clone());
        Self {
            dispatcher: Dispatcher::new(store, sink, links, clock.shared()),
            fixture,
            invitation,
            id: row.id,
            mailer,
            clock,
        }
    }

    async fn dispatch(&self) -> Outcome {
        self.dispatcher.dispatch(&CALLER, &self.id).await.unwrap()
    }

    async fn row(&self) -> OutboxRow {
        let row = self.fixture.store.find_outbox_row(&CALLER, &self.id).await;
        row.unwrap().unwrap().value
    }

    async fn assert_failed(&self, code: &str) {
        assert_eq!(self.dispatch().await, Outcome::Failed);
        let row = self.row().await;
        assert_eq!(row.state, OutboxState::Failed);
        assert_eq!(row.last_error.as_deref(), Some(code));
        assert!(self.mailer.sent().is_empty());
    }
}

#[tokio::test]
async fn the_mail_carries_a_link_with_the_token_that_opens_the_invitation() {
    let outbox = Outbox::new(invitation_links()).await;
    assert_eq!(outbox.dispatch().await, Outcome::Sent);
    let mails = outbox.mailer.sent();
    let [mail] = mails.as_slice() else {
        panic!("{} mails", mails.len());
    };
    assert_eq!(mail.to().as_str(), ADDRESS);
    assert_eq!(mail.subject(), "You are invited to Ada's organization");
    let start = format!("{APP_URL}/invitations/accept#token=");
    let token = mail
        .text()
        .lines()
        .find_map(|line| line.strip_prefix(&start))
        .unwrap();
    assert!(Token::parse(token).unwrap().opens(&outbox.invitation));
    assert!(mail.html().contains(&format!("\"{start}{token}\"")));
    assert!(mail.text().contains("viewer") && mail.text().contains("2026-11-30"));
}

#[tokio::test]
async fn the_database_never_holds_the_token() {
    let outbox = Outbox::new(invitation_links()).await;
    outbox.dispatch().await;
    let mail = outbox.mailer.sent().remove(0);
    let (_, token) = mail.text().split_once("#token=").unwrap();
    let token = token.lines().next().unwrap();
    let (_, secret) = token.rsplit_once('.').unwrap();
    for document in outbox.fixture.db.documents("") {
        let text = format!("{document:?}");
        assert!(!text.contains(secret), "{}", document.path);
    }
}

#[tokio::test]
async fn an_invitation_that_is_gone_over_or_void_is_not_sent() {
    let outbox = Outbox::new(invitation_links()).await;
    let Invitation { org_id, id, .. } = &outbox.invitation;
    let found = outbox.fixture.store.find_invitation(org_id, id).await;
    let delete = invitations::delete(&found.unwrap().unwrap());
    outbox.fixture.store.commit(vec![delete]).await.unwrap();
    outbox.assert_failed("invitation_gone").await;

    let outbox = Outbox::new(invitation_links()).await;
    let lifetime = Duration::from_secs(LIFETIME_SECS.unsigned_abs());
    outbox.clock.advance(lifetime);
    outbox.assert_failed("invitation_gone").await;

    let outbox = Outbox::new(invitation_links()).await;
    outbox.fixture.change_ada(|ada| ada.disabled = true).await;
    outbox.assert_failed("invitation_gone").await;
}

#[tokio::test]
async fn a_link_that_would_open_nothing_is_not_sent() {
    let other_key = Arc::new(LocalMac::new("rotated".into()));
    let outbox = Outbox::new(links(other_key)).await;
    outbox.assert_failed("invitation_key_changed").await;
}

/// A key that cannot be reached until it is told.
struct FarKey {
    near: LocalMac,
    is_reached: AtomicBool,
}

#[async_trait]
impl MacKey for FarKey {
    fn version(&self) -> &str {
        self.near.version()
    }

    async fn sign(&self, message: &[u8]) -> Result<SecretTag, crypto::Error> {
        if self.is_reached.load(Ordering::Relaxed) {
            return self.near.sign(message).await;
        }
        Err(crypto::Error::Unavailable("no route".into()))
    }
}

#[tokio::test]
async fn a_mail_whose_key_cannot_be_reached_waits_and_is_not_counted_as_tried() {
    let key = Arc::new(FarKey {
        near: LocalMac::new("test".into()),
        is_reached: AtomicBool::new(false),
    });
    let outbox = Outbox::new(links(key.clone())).await;
    assert_eq!(outbox.dispatch().await, Outcome::Deferred);
    let row = outbox.row().await;
    assert_eq!((row.state, row.attempts), (OutboxState::Pending, 0));
    assert_eq!(row.last_error.as_deref(), Some("key_unavailable"));
    assert_eq!(outbox.dispatch().await, Outcome::Skipped, "not due yet");
    key.is_reached.store(true, Ordering::Relaxed);
    outbox.clock.advance(Duration::from_secs(30));
    assert_eq!(outbox.dispatch().await, Outcome::Sent);
}

#[tokio::test]
async fn a_name_with_line_breaks_cannot_break_the_subject() {
    let outbox = Outbox::new(invitation_links()).await;
    let name = "Evil\r\nBcc: all@example.com";
    let write = store::organizations::set_name(&outbox.invitation.org_id, name).unwrap();
    outbox.fixture.store.commit(vec![write]).await.unwrap();
    assert_eq!(outbox.dispatch().await, Outcome::Sent);
    let mail = outbox.mailer.sent().remove(0);
    assert!(!mail.subject().contains(char::is_control));
}
