use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use secrecy::ExposeSecret;
use shared::{
    clock::SystemClock,
    crypto::{DataKey, EncryptionKey, Envelope, Error as KeyError, UnwrappedKey, WrappedKey},
    ids::{IntegrationId, OrgId},
    models::IntegrationService,
    store::{
        DocumentPath, Write,
        document_db::{Operation, Precondition},
        encode,
    },
    testing::{FixedClock, integration, memory_store},
};

use super::*;

fn now() -> Timestamp {
    FixedClock::at("2026-11-23T22:00:00Z").shared().now().into()
}

/// How the old version of the key is. Nothing is wrapped under it any more.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Old {
    Enabled,
    Disabled,
    Destroyed,
    Denied,
    Unreachable,
}

/// A key with an old version and a new one.
struct TestKey {
    old: Mutex<Old>,
    primary: Mutex<&'static str>,
    /// What somebody else writes while a key is unwrapped, once.
    meanwhile: Mutex<Option<Vec<Write>>>,
    store: Store,
}

impl TestKey {
    fn old(&self) -> Old {
        *self.old.lock().unwrap()
    }

    fn refusal(&self) -> KeyError {
        match self.old() {
            Old::Unreachable => KeyError::Unavailable("no answer".into()),
            _ => KeyError::Refused("no".into()),
        }
    }
}

#[async_trait]
impl EncryptionKey for TestKey {
    async fn wrap_key(&self, data_key: &DataKey, _: &[u8]) -> Result<WrappedKey, KeyError> {
        Ok(WrappedKey {
            version: (*self.primary.lock().unwrap()).to_owned(),
            bytes: data_key.expose_secret().to_vec(),
        })
    }

    async fn unwrap_key(&self, wrapped: &WrappedKey, _: &[u8]) -> Result<UnwrappedKey, KeyError> {
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some(writes) = meanwhile {
            self.store.commit(writes).await.unwrap();
        }
        if wrapped.version == "old" && self.old() != Old::Enabled {
            return Err(self.refusal());
        }
        let data_key = wrapped.bytes[..].try_into().unwrap();
        Ok(UnwrappedKey {
            data_key: DataKey::new(Box::new(data_key)),
            is_primary: wrapped.version == *self.primary.lock().unwrap(),
        })
    }

    async fn is_destroyed(&self, version: &str) -> Result<bool, KeyError> {
        match self.old() {
            Old::Denied | Old::Unreachable => Err(self.refusal()),
            old => Ok(version == "old" && old == Old::Destroyed),
        }
    }
}

/// Two records under the old version of a key that has a new one.
struct Scene {
    store: Store,
    key: Arc<TestKey>,
    envelope: Envelope,
}

impl Scene {
    async fn new() -> Self {
        let (store, _) = memory_store();
        let key = Arc::new(TestKey {
            old: Mutex::new(Old::Enabled),
            primary: Mutex::new("old"),
            meanwhile: Mutex::default(),
            store: store.clone(),
        });
        let envelope = Envelope::new(key.clone(), SystemClock::shared());
        let scene = Self {
            store,
            key,
            envelope,
        };
        for id in ["i1", "i2"] {
            let record = scene.sealed(id).await;
            let writes = integrations::create(&record).unwrap();
            scene.store.commit(writes.into()).await.unwrap();
        }
        *scene.key.primary.lock().unwrap() = "new";
        scene
    }

    /// A record, sealed under the version that is the primary one now.
    async fn sealed(&self, id: &str) -> Integration {
        let mut record = Integration {
            account_label: "a".to_owned(),
            credentials: "".into(),
            ..integration(id, "u1", IntegrationService::Github)
        };
        let sealed = self.envelope.seal(b"a token", &record.sealed()[0].0).await;
        record.credentials = sealed.unwrap().into();
        record
    }

    async fn find(&self, id: &str) -> Integration {
        let org_id = OrgId::parse("o1").unwrap();
        let id = IntegrationId::parse(id).unwrap();
        let found = self.store.find_integration(&org_id, &id);
        found.await.unwrap().unwrap().value
    }

    /// A run: its first line, and whether everything was done.
    async fn run(&self) -> Result<(String, bool)> {
        let (texts, mut report) = (Texts::new(self.envelope.clone()), Report::new());
        run(&self.store, &texts, now(), &mut report).await?;
        let text = report.to_string();
        let line = text.lines().next().unwrap_or_default().to_owned();
        Ok((line, report.is_complete()))
    }
}

fn line(figures: [u64; 7]) -> String {
    let [
        looked_at,
        rewrapped,
        already,
        races,
        unopenable,
        lost,
        failed,
    ] = figures;
    format!(
        "looked at {looked_at}, rewrapped {rewrapped}, already {already}, lost races {races}, \
         unopenable {unopenable} (under a destroyed version {lost}), failed {failed}"
    )
}

#[tokio::test]
async fn each_record_is_moved_once() {
    let scene = Scene::new().await;
    let first = scene.run().await.unwrap();
    assert_eq!(first, (line([2, 2, 0, 0, 0, 0, 0]), true));
    let second = scene.run().await.unwrap();
    assert_eq!(second, (line([2, 0, 2, 0, 0, 0, 0]), true));
}

#[tokio::test]
async fn a_record_under_a_destroyed_version_says_so_and_is_told_once() {
    let scene = Scene::new().await;
    *scene.key.old.lock().unwrap() = Old::Destroyed;
    let first = scene.run().await.unwrap();
    assert_eq!(first, (line([2, 0, 0, 0, 2, 2, 0]), false));
    let record = scene.find("i1").await;
    assert_eq!(record.status, IntegrationStatus::Error);
    assert_eq!(record.error_cause.as_deref(), Some("key_destroyed"));
    let id = IntegrationId::parse("i1").unwrap();
    let mirror = scene.store.find_integration_status(&record.org_id, &id);
    let mirror = mirror.await.unwrap().unwrap();
    assert_eq!(mirror.error_cause, record.error_cause);
    let mails = || scene.store.list_due_outbox_rows(&CALLER, now(), 10);
    assert_eq!(mails().await.unwrap().len(), 2);
    let second = scene.run().await.unwrap();
    assert_eq!(second, (line([2, 0, 0, 0, 2, 2, 0]), true));
    assert_eq!(mails().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_key_that_may_not_be_used_leaves_records_as_they_are() {
    for old in [Old::Disabled, Old::Denied] {
        let scene = Scene::new().await;
        let before = scene.find("i1").await;
        *scene.key.old.lock().unwrap() = old;
        let done = scene.run().await.unwrap();
        assert_eq!(done, (line([2, 0, 0, 0, 2, 0, 0]), false), "{old:?}");
        assert_eq!(scene.find("i1").await, before, "{old:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_cannot_be_reached_ends_the_run() {
    let scene = Scene::new().await;
    let before = scene.find("i1").await;
    *scene.key.old.lock().unwrap() = Old::Unreachable;
    assert!(scene.run().await.is_err());
    assert_eq!(scene.find("i1").await, before);
}

#[tokio::test]
async fn a_record_that_changes_meanwhile_is_looked_at_again() {
    let scene = Scene::new().await;
    let renewed = scene.sealed("i1").await;
    let path = DocumentPath::new("integrations", "i1");
    let write = Write {
        operation: Operation::Replace(encode(&path, &renewed).unwrap()),
        path,
        precondition: Precondition::None,
    };
    *scene.key.meanwhile.lock().unwrap() = Some(vec![write]);
    let done = scene.run().await.unwrap();
    assert_eq!(done, (line([2, 1, 1, 1, 0, 0, 0]), true));
    assert_eq!(scene.find("i1").await, renewed);
}

#[tokio::test]
async fn a_record_that_is_deleted_meanwhile_is_done() {
    let scene = Scene::new().await;
    let (org_id, id) = ("o1".parse().unwrap(), "i1".parse().unwrap());
    let found = scene.store.find_integration(&org_id, &id).await.unwrap();
    let delete = integrations::delete_unchanged(&found.unwrap());
    *scene.key.meanwhile.lock().unwrap() = Some(delete.into());
    let done = scene.run().await.unwrap();
    assert_eq!(done, (line([2, 1, 0, 1, 0, 0, 0]), true));
}

#[tokio::test]
async fn a_record_that_cannot_be_read_keeps_no_other_from_being_moved() {
    let scene = Scene::new().await;
    let record = scene.find("i2").await;
    // A copy in another place says that it is where it was.
    let path = DocumentPath::new("integrations", "i0");
    let copy = Write {
        operation: Operation::Replace(encode(&path, &record).unwrap()),
        path,
        precondition: Precondition::None,
    };
    scene.store.commit(vec![copy]).await.unwrap();
    let done = scene.run().await.unwrap();
    assert_eq!(done, (line([3, 2, 0, 0, 0, 0, 1]), false));
}
