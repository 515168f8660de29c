//! A text opens where it belongs and nowhere else.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::ExposeSecret;
use shared::crypto::{
    DataKey, EncryptionKey, Envelope, EnvelopeError, Error, Place, UnwrappedKey, WrappedKey,
};

use super::{PLACE, both_keys, clock, envelope_of};

/// Every other place, one part at a time, and those whose parts run into each other.
const ELSEWHERE: [Place<'static>; 7] = [
    Place {
        org_id: "o2",
        ..PLACE
    },
    Place {
        integration_id: "i2",
        ..PLACE
    },
    Place {
        service: "github",
        ..PLACE
    },
    Place {
        field: "refreshToken",
        ..PLACE
    },
    Place {
        org_id: "o1i",
        integration_id: "1",
        ..PLACE
    },
    Place {
        org_id: "i1",
        integration_id: "o1",
        ..PLACE
    },
    Place {
        service: "credentials",
        field: "google",
        ..PLACE
    },
];

async fn assert_refused(envelope: &Envelope, sealed: &str, place: &Place<'_>) {
    let opened = envelope.open(sealed, place).await;
    assert!(
        matches!(opened, Err(EnvelopeError::Unopenable)),
        "{place:?}"
    );
    let rewrapped = envelope.rewrap(sealed, place).await;
    assert!(
        matches!(rewrapped, Err(EnvelopeError::Unopenable)),
        "{place:?}"
    );
}

#[tokio::test]
async fn a_text_that_was_moved_is_refused() {
    for key in both_keys().await {
        let envelope = envelope_of(&key);
        let sealed = envelope.seal(b"a token", &PLACE).await.unwrap();
        for place in &ELSEWHERE {
            assert_refused(&envelope, &sealed, place).await;
            // Also when its data key is cached.
            envelope.open(&sealed, &PLACE).await.unwrap();
            assert_refused(&envelope, &sealed, place).await;
        }
        for place in &ELSEWHERE {
            let there = envelope.seal(b"a token", place).await.unwrap();
            assert_refused(&envelope, &there, &PLACE).await;
        }
    }
}

#[tokio::test]
async fn a_text_of_another_key_is_refused() {
    let [local, kms] = both_keys().await;
    for (one, other) in [(&local, &kms), (&kms, &local)] {
        let sealed = envelope_of(one).seal(b"a token", &PLACE).await.unwrap();
        assert_refused(&envelope_of(other), &sealed, &PLACE).await;
    }
    // Cloud KMS was not even asked.
    assert_eq!(kms.kms().calls("decrypt"), 0);
}

/// Keeps what it is given to wrap, and wraps nothing.
#[derive(Default)]
struct RecordingKey(Mutex<Vec<[u8; 32]>>);

#[async_trait]
impl EncryptionKey for RecordingKey {
    async fn wrap_key(&self, data_key: &DataKey, _: &[u8]) -> Result<WrappedKey, Error> {
        self.0.lock().unwrap().push(*data_key.expose_secret());
        Ok(WrappedKey {
            version: "1".to_owned(),
            bytes: vec![0],
        })
    }

    async fn unwrap_key(&self, _: &WrappedKey, _: &[u8]) -> Result<UnwrappedKey, Error> {
        Err(Error::Damaged)
    }

    async fn is_destroyed(&self, _: &str) -> Result<bool, Error> {
        Ok(false)
    }
}

#[tokio::test]
async fn a_hundred_thousand_texts_have_keys_and_nonces_of_their_own() {
    const SEALS: usize = 100_000;
    let key = Arc::new(RecordingKey::default());
    let envelope = Envelope::new(key.clone(), clock().shared());
    let mut nonces = HashSet::new();
    for _ in 0..SEALS {
        let sealed = envelope.seal(b"a token", &PLACE).await.unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(sealed).unwrap();
        let nonce = bytes[bytes.len() - 16 - b"a token".len() - 12..].first_chunk();
        nonces.insert(*nonce.unwrap() as [u8; 12]);
    }
    let data_keys: HashSet<_> = key.0.lock().unwrap().iter().copied().collect();
    assert_eq!((nonces.len(), data_keys.len()), (SEALS, SEALS));
}
