use std::{
    fs,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use shared::crypto::{DataKey, EncryptionKey, Error, LocalKeys, UnwrappedKey, WrappedKey};
use tempfile::NamedTempFile;
use wiremock::MockServer;

use super::fake_kms::{FakeKms, KEY};

/// A key under test, with its keeper. It remembers what it has wrapped.
#[derive(Clone)]
pub(super) struct TestKey {
    pub(super) name: &'static str,
    key: Arc<dyn EncryptionKey>,
    keeper: Arc<Keeper>,
    data_keys: Arc<Mutex<Vec<[u8; 32]>>>,
    unwrapped: Arc<Mutex<usize>>,
}

enum Keeper {
    Kms(
        FakeKms,
        #[expect(dead_code, reason = "it serves until it is dropped")] MockServer,
    ),
    File(NamedTempFile),
}

/// One version of a key in each keeper.
pub(super) async fn both_keys() -> [TestKey; 2] {
    [local_key(), kms_key().await]
}

pub(super) async fn kms_key() -> TestKey {
    let (kms, server, key) = FakeKms::start().await;
    TestKey::new("Cloud KMS", Arc::new(key), Keeper::Kms(kms, server))
}

fn local_key() -> TestKey {
    let file = NamedTempFile::new().unwrap();
    let content = json!({ "primary": "1", "keys": { "1": STANDARD.encode([1; 32]) } });
    fs::write(&file, content.to_string()).unwrap();
    let key = LocalKeys::new(file.path());
    TestKey::new("local", Arc::new(key), Keeper::File(file))
}

impl TestKey {
    fn new(name: &'static str, key: Arc<dyn EncryptionKey>, keeper: Keeper) -> Self {
        Self {
            name,
            key,
            keeper: Arc::new(keeper),
            data_keys: Arc::default(),
            unwrapped: Arc::default(),
        }
    }

    /// The keeper that is Cloud KMS.
    pub(super) fn kms(&self) -> &FakeKms {
        match &*self.keeper {
            Keeper::Kms(kms, _) => kms,
            Keeper::File(_) => unreachable!("not Cloud KMS"),
        }
    }

    /// The data keys that it has wrapped.
    pub(super) fn data_keys(&self) -> Vec<[u8; 32]> {
        self.data_keys.lock().unwrap().clone()
    }

    /// How often it was asked to unwrap one.
    pub(super) fn unwrapped(&self) -> usize {
        *self.unwrapped.lock().unwrap()
    }

    /// The name of a version.
    pub(super) fn version(&self, number: u8) -> String {
        match &*self.keeper {
            Keeper::Kms(..) => format!("{KEY}/cryptoKeyVersions/{number}"),
            Keeper::File(_) => format!("local/{number}"),
        }
    }

    /// Makes a second version, which is then the primary one.
    pub(super) fn rotate(&self) {
        match &*self.keeper {
            Keeper::Kms(kms, _) => kms.rotate(),
            Keeper::File(file) => change(file, |content| {
                content["primary"] = json!("2");
                content["keys"]["2"] = json!(STANDARD.encode([2; 32]));
            }),
        }
    }

    pub(super) fn destroy(&self, version: u8) {
        match &*self.keeper {
            Keeper::Kms(kms, _) => kms.destroy(version),
            Keeper::File(file) => change(file, |content| {
                let keys = content["keys"].as_object_mut().unwrap();
                keys.remove(&version.to_string());
            }),
        }
    }
}

fn change(file: &NamedTempFile, change: impl FnOnce(&mut Value)) {
    let mut content = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    change(&mut content);
    fs::write(file, content.to_string()).unwrap();
}

#[async_trait]
impl EncryptionKey for TestKey {
    async fn wrap_key(
        &self,
        data_key: &DataKey,
        associated_data: &[u8],
    ) -> Result<WrappedKey, Error> {
        let wrapped = *data_key.expose_secret();
        self.data_keys.lock().unwrap().push(wrapped);
        self.key.wrap_key(data_key, associated_data).await
    }

    async fn unwrap_key(
        &self,
        wrapped: &WrappedKey,
        associated_data: &[u8],
    ) -> Result<UnwrappedKey, Error> {
        *self.unwrapped.lock().unwrap() += 1;
        self.key.unwrap_key(wrapped, associated_data).await
    }

    async fn is_destroyed(&self, version: &str) -> Result<bool, Error> {
        self.key.is_destroyed(version).await
    }
}
