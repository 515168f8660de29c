use secrecy::ExposeSecret;
use shared::{
    testing::Weather,
    vault::{MAX_MAIL_BYTES, MailTouch, Since, Workspace},
};

use super::support::World;

const TOPIC: &str = "projects/p/topics/gmail";

fn touch(id: &str, is_new: bool) -> MailTouch {
    MailTouch {
        id: id.to_owned(),
        is_new,
    }
}

/// All mails, by all pages; tells as well how many there were, and how many of them were empty.
async fn list(world: &World) -> (Vec<String>, usize, usize) {
    let (mut ids, mut pages, mut empty, mut page) = (Vec::new(), 0, 0, None::<String>);
    loop {
        let listed = world.vault.list_mail(&world.account, page.as_deref()).await;
        let listed = listed.unwrap();
        pages += 1;
        empty += usize::from(listed.ids.is_empty());
        ids.extend(listed.ids);
        page = listed.next_page;
        if page.is_none() {
            return (ids, pages, empty);
        }
    }
}

#[tokio::test]
async fn a_mailbox_tells_its_address_and_its_position() {
    let world = World::new().await;
    world.user.deliver("b@example.com", "Hello", "Hi.");
    let mailbox = world.vault.mailbox(&world.account).await.unwrap();
    assert_eq!(mailbox.address.expose_secret(), "ada@example.com");
    assert_eq!(mailbox.history_id, world.user.history_id());
    assert!(!format!("{mailbox:?}").contains("ada@"));
    world.assert_no_problems();
}

#[tokio::test]
async fn mails_are_listed_newest_first_without_spam_and_bin() {
    let world = World::new().await;
    assert_eq!(list(&world).await, (vec![], 1, 1));
    for number in 1..=5 {
        world
            .user
            .deliver("b@example.com", &number.to_string(), "x");
    }
    world
        .user
        .deliver_labelled("Subject: s\r\n\r\nx", &["SPAM"]);
    world.user.trash_mail("m2");
    let ids = ["m5", "m4", "m3", "m1"].map(str::to_owned).to_vec();
    assert_eq!(list(&world).await, (ids.clone(), 1, 0));
    world.workspace.set_weather(Weather {
        max_page: Some(1),
        empty_pages_per_mille: 1_000,
        ..Weather::default()
    });
    let (paged, pages, empty) = list(&world).await;
    assert_eq!(paged, ids);
    assert_eq!((pages, empty), (8, 4), "an empty one before each other");
    world.assert_no_problems();
}

#[tokio::test]
async fn changes_name_each_mail_once_and_which_ones_have_come() {
    let world = World::new().await;
    for subject in ["a", "b", "c"] {
        world.user.deliver("b@example.com", subject, "x");
    }
    let since = world.history_id().await;
    world.user.label_mail("m1", &["STARRED"], &["UNREAD"]);
    world.user.deliver("b@example.com", "d", "x");
    world.user.trash_mail("m2");
    world.user.delete_mail("m3");
    world.user.label_mail("m4", &["STARRED"], &[]);
    world.workspace.set_weather(Weather {
        duplicates_per_mille: 1_000,
        ..Weather::default()
    });
    let changes = world.mail_changes(&since, None).await;
    let touched = [
        touch("m1", false),
        touch("m4", true),
        touch("m2", false),
        touch("m3", false),
    ];
    assert_eq!(changes.touched, touched);
    assert_eq!(changes.history_id, world.user.history_id());
    assert_eq!(changes.next_page, None);
    let nothing = world.mail_changes(&changes.history_id, None).await;
    assert_eq!((nothing.touched.len(), nothing.next_page), (0, None));
    assert_eq!(nothing.history_id, changes.history_id);
    world.assert_no_problems();
}

#[tokio::test]
async fn a_page_of_changes_says_where_to_go_on_after_it() {
    let world = World::new().await;
    let since = world.history_id().await;
    for subject in ["a", "b", "c"] {
        world.user.deliver("b@example.com", subject, "x");
    }
    world.workspace.set_weather(Weather {
        max_page: Some(1),
        empty_pages_per_mille: 400,
        seed: 7,
        ..Weather::default()
    });
    let (mut by_token, mut token) = (Vec::new(), None::<String>);
    loop {
        let page = world.mail_changes(&since, token.as_deref()).await;
        by_token.extend(page.touched);
        token = page.next_page;
        if token.is_none() {
            break;
        }
    }
    let (mut by_position, mut position) = (Vec::new(), since);
    while position != world.user.history_id() {
        let page = world.mail_changes(&position, None).await;
        by_position.extend(page.touched);
        position = page.history_id;
    }
    let all = ["m1", "m2", "m3"].map(|id| touch(id, true));
    assert_eq!((by_token, by_position), (all.to_vec(), all.to_vec()));
    world.assert_no_problems();
}

#[tokio::test]
async fn a_position_that_gmail_has_forgotten_is_expired() {
    let world = World::new().await;
    let old = world.history_id().await;
    world.user.deliver("b@example.com", "a", "x");
    world.user.expire_history();
    let changes = world.vault.list_mail_changes(&world.account, &old, None);
    assert_eq!(changes.await.unwrap(), Since::Expired);
    let now = world.history_id().await;
    assert!(world.mail_changes(&now, None).await.touched.is_empty());
    assert_eq!(
        world.workspace.count("gmail.users.history.list"),
        2,
        "once each"
    );
    world.assert_no_problems();
}

#[tokio::test]
async fn a_mail_comes_as_it_was_sent() {
    let world = World::new().await;
    let raw = b"Subject: Gr\xfc\xdfe\r\nFrom: a@b.example\r\n\r\n\xff\x00binary".to_vec();
    let id = world.user.deliver_raw(raw.clone());
    world.user.label_mail(&id, &["Label_7"], &["UNREAD"]);
    let mail = world
        .vault
        .find_mail(&world.account, &id, MAX_MAIL_BYTES)
        .await;
    let mail = mail.unwrap().unwrap();
    assert_eq!((mail.id.as_str(), mail.thread_id.as_str()), ("m1", "t1"));
    assert_eq!(mail.labels, ["INBOX", "Label_7"]);
    assert_eq!(mail.received_at.to_string(), "2026-11-26T12:00:01Z");
    assert_eq!(mail.raw, raw);
    assert!(!format!("{mail:?}").contains("raw:"));
    world.assert_no_problems();
}

#[tokio::test]
async fn a_mail_in_the_bin_is_found_and_one_that_is_gone_is_none() {
    let world = World::new().await;
    let id = world.user.deliver("b@example.com", "a", "x");
    world.user.trash_mail(&id);
    let find = || world.vault.find_mail(&world.account, &id, MAX_MAIL_BYTES);
    assert_eq!(find().await.unwrap().unwrap().labels, ["UNREAD", "TRASH"]);
    world.user.delete_mail(&id);
    assert_eq!(find().await.unwrap(), None);
    world.assert_no_problems();
}

#[tokio::test]
async fn a_mail_above_the_limit_has_its_headers_alone() {
    let world = World::new().await;
    let mut raw = b"Subject: Large\r\nFrom: a@b.example\r\n\r\n".to_vec();
    raw.resize(36_100_000, b'x');
    let id = world.user.deliver_raw(raw);
    let mail = world
        .vault
        .find_mail(&world.account, &id, MAX_MAIL_BYTES)
        .await;
    let mail = mail.unwrap().unwrap();
    assert_eq!(mail.raw, b"Subject: Large\r\nFrom: a@b.example\r\n\r\n");
    assert!(!mail.is_whole);
    assert_eq!(mail.labels, ["INBOX", "UNREAD"]);
    world.assert_no_problems();
}

#[tokio::test]
async fn a_mail_above_the_limit_of_who_asks_has_its_headers_alone() {
    let world = World::new().await;
    let raw = format!("Subject: Order 7\r\n\r\n{}", "x".repeat(200_000));
    let id = world.user.deliver_raw(raw.clone());
    for (limit, is_whole) in [(0, false), (100_000, false), (300_000, true)] {
        let mail = world.vault.find_mail(&world.account, &id, limit).await;
        let mail = mail.unwrap().unwrap();
        assert_eq!(mail.is_whole, is_whole, "{limit}");
        assert_eq!(mail.raw == raw.as_bytes(), is_whole, "{limit}");
    }
    let gets = world.workspace.count("gmail.users.messages.get");
    assert_eq!(gets, 1 + 2 + 1, "nobody asks for the whole of nothing");
    world.assert_no_problems();
}

#[tokio::test]
async fn gmail_is_told_where_to_publish() {
    let world = World::new().await;
    let watch = world.vault.watch_mailbox(&world.account, TOPIC).await;
    let watch = watch.unwrap();
    assert_eq!(watch.history_id, world.user.history_id());
    assert_eq!(watch.expires_at.to_string(), "2026-12-03T12:00:00Z");
    assert_eq!(world.user.watched_topic().as_deref(), Some(TOPIC));
    world.assert_no_problems();
}

#[tokio::test]
async fn each_account_has_a_mailbox_of_its_own() {
    let world = World::new().await;
    world
        .workspace
        .account("sub-2")
        .deliver("b@example.com", "a", "x");
    assert!(list(&world).await.0.is_empty());
    assert!(world.user.ground_truth().mails.is_empty());
}
