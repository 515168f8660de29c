use std::{future::pending, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{StreamExt, stream};
use serde_json::json;
use shared::{
    connectors,
    models::{IntegrationService, SubscriptionTier},
    store::{
        DocumentPath, Write,
        document_db::{Operation, Precondition},
        encode,
    },
    testing::{FixedClock, MemoryDb},
    vault::{
        DriveFile, Error, FileChanges, FilePage, MailChanges, MailPage, MailWatch, Mailbox,
        NextFiles, RawMail, Since, SyncAccount, Workspace,
    },
};

use crate::app::{NOW, Options, TestApp, tick};

const INTEGRATIONS: usize = 1_000;
const SPOILT: usize = 10;

/// Each account has one mail and one file; every hundredth hangs or fails.
struct ManyAccounts;

impl ManyAccounts {
    async fn weather(account: &SyncAccount) -> Result<(), Error> {
        let number: usize = account.integration_id.as_str()[1..].parse().unwrap();
        if number.is_multiple_of(200) {
            return pending().await;
        }
        tokio::task::yield_now().await;
        match number.is_multiple_of(100) {
            true => Err(connectors::Error::Unavailable("switched off".into()).into()),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Workspace for ManyAccounts {
    async fn mailbox(&self, account: &SyncAccount) -> Result<Mailbox, Error> {
        Self::weather(account).await?;
        Ok(Mailbox {
            address: "ada@example.com".into(),
            history_id: "1".to_owned(),
        })
    }

    async fn list_mail(&self, account: &SyncAccount, _: Option<&str>) -> Result<MailPage, Error> {
        Self::weather(account).await?;
        Ok(MailPage {
            ids: vec!["m1".to_owned()],
            next_page: None,
        })
    }

    async fn list_mail_changes(
        &self,
        _: &SyncAccount,
        since: &str,
        _: Option<&str>,
    ) -> Result<Since<MailChanges>, Error> {
        Ok(Since::Known(MailChanges {
            touched: Vec::new(),
            history_id: since.to_owned(),
            next_page: None,
        }))
    }

    async fn find_mail(
        &self,
        _: &SyncAccount,
        id: &str,
        _: usize,
    ) -> Result<Option<RawMail>, Error> {
        Ok(Some(RawMail {
            id: id.to_owned(),
            thread_id: id.to_owned(),
            labels: vec!["INBOX".to_owned()],
            received_at: NOW.parse::<jiff::Timestamp>().unwrap().into(),
            raw: b"Subject: Order 7\r\n\r\nThe engine is late.".to_vec(),
            is_whole: true,
        }))
    }

    async fn watch_mailbox(&self, _: &SyncAccount, _: &str) -> Result<MailWatch, Error> {
        Err(Error::NotConnected)
    }

    async fn drive_position(&self, account: &SyncAccount) -> Result<String, Error> {
        Self::weather(account).await?;
        Ok("1".to_owned())
    }

    async fn list_files(&self, _: &SyncAccount, _: Option<&str>) -> Result<FilePage, Error> {
        let file = DriveFile {
            id: "f1".to_owned(),
            name: "Plan".to_owned(),
            mime_type: "text/plain".to_owned(),
            modified_at: None,
            revision: "1".to_owned(),
            size: Some(17),
            is_trashed: false,
            link: None,
        };
        Ok(FilePage {
            files: vec![file],
            next_page: None,
        })
    }

    async fn list_file_changes(
        &self,
        _: &SyncAccount,
        position: &str,
    ) -> Result<Since<FileChanges>, Error> {
        Ok(Since::Known(FileChanges {
            changes: Vec::new(),
            next: NextFiles::Position(position.to_owned()),
        }))
    }

    async fn read_file(
        &self,
        _: &SyncAccount,
        _: &DriveFile,
        _: Option<&str>,
        _: usize,
    ) -> Result<Option<Vec<u8>>, Error> {
        Ok(Some(b"Build the engine.".to_vec()))
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_thousand_integrations_those_that_hang_or_fail_hold_up_no_others() {
    let (db, clock) = (Arc::new(MemoryDb::new()), FixedClock::at(NOW));
    let app = TestApp::on(db, clock, Arc::new(ManyAccounts), Options::default());
    for number in 1..=INTEGRATIONS {
        let org_id = format!("o{number}");
        app.add_organization(&org_id, SubscriptionTier::Pro).await;
        app.add(&format!("i{number}"), &org_id, IntegrationService::Google)
            .await;
    }
    assert_eq!(app.push(&tick("t1")).await, 204);
    let messages = app.topic.take();
    assert_eq!(messages.len(), INTEGRATIONS);
    let largest = app.topic.largest_batch();
    assert!(largest <= 300, "{largest} messages are held at once");
    let began = tokio::time::Instant::now();
    let deliveries = stream::iter(&messages).map(|message| app.deliver(message));
    let statuses: Vec<u16> = deliveries.buffer_unordered(80).collect().await;
    assert!(statuses.iter().all(|status| *status == 204));
    let synced = app.db.documents("integrations/").into_iter();
    let synced = synced
        .filter(|found| found.fields.contains_key("lastSync"))
        .count();
    let (mails, files) = (app.llm.embedded().len(), began.elapsed());
    eprintln!(
        "{INTEGRATIONS} integrations, {SPOILT} of them hang or fail: {synced} done, \
         {mails} texts, {files:?} by the clock of the test"
    );
    assert_eq!(synced, INTEGRATIONS - SPOILT);
    assert!(
        files < Duration::from_secs(60),
        "one that hangs waits alone"
    );
}

#[tokio::test]
async fn a_tick_tells_of_those_whose_plans_have_a_sync() {
    let app = TestApp::new();
    app.add_organization("o1", SubscriptionTier::Pro).await;
    app.add_organization("o2", SubscriptionTier::Free).await;
    for (id, org_id) in [("i1", "o1"), ("i2", "o2"), ("i3", "o1"), ("i4", "o3")] {
        app.add(id, org_id, IntegrationService::Google).await;
    }
    app.add("i5", "o1", IntegrationService::Github).await;
    app.add("i6", "o4", IntegrationService::Google).await;
    let path = DocumentPath::new("organizations", "o4");
    let spoilt = Write {
        operation: Operation::Replace(encode(&path, &json!({ "name": 4 })).unwrap()),
        path,
        precondition: Precondition::None,
    };
    app.store.commit(vec![spoilt]).await.unwrap();
    assert_eq!(app.push(&tick("t1")).await, 204);
    let told = app.topic.take().into_iter();
    let told: Vec<_> = told
        .map(|message| String::from_utf8(message.data).unwrap())
        .collect();
    let expected = ["i1", "i3"].map(|id| format!(r#"{{"integrationId":"{id}","orgId":"o1"}}"#));
    assert_eq!(told, expected);
}
