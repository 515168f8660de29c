//! Sealed texts, below a key of Cloud KMS and below one of this machine: the same suite for both.

mod cached;
mod fake_kms;
mod keys;
mod malformed;
mod moved;
mod refusals;

use std::sync::Arc;

use shared::{
    crypto::{Envelope, Place, envelope::key_version},
    testing::FixedClock,
};

use self::keys::{TestKey, both_keys};

const PLACE: Place<'static> = Place {
    org_id: "o1",
    integration_id: "i1",
    service: "google",
    field: "credentials",
};

fn clock() -> FixedClock {
    FixedClock::at("2026-11-26T12:00:00Z")
}

fn envelope_of(key: &TestKey) -> Envelope {
    Envelope::new(Arc::new(key.clone()), clock().shared())
}

#[tokio::test]
async fn what_is_sealed_can_be_opened() {
    for key in both_keys().await {
        let envelope = envelope_of(&key);
        for plaintext in [&b""[..], b"a token", &[0xff; 60_000]] {
            let sealed = envelope.seal(plaintext, &PLACE).await.unwrap();
            let opened = envelope.open(&sealed, &PLACE).await.unwrap();
            assert_eq!(opened[..], *plaintext, "{}", key.name);
        }
    }
}

#[tokio::test]
async fn no_text_is_sealed_the_same_twice() {
    for key in both_keys().await {
        let envelope = envelope_of(&key);
        let one = envelope.seal(b"a token", &PLACE).await.unwrap();
        let other = envelope.seal(b"a token", &PLACE).await.unwrap();
        assert_ne!(one, other, "{}", key.name);
        assert_ne!(key.data_keys()[0], key.data_keys()[1], "{}", key.name);
    }
}

#[tokio::test]
async fn a_text_longer_than_a_document_is_not_sealed() {
    for key in both_keys().await {
        let sealed = envelope_of(&key).seal(&vec![0; 800_000], &PLACE).await;
        assert!(sealed.is_err(), "{}", key.name);
    }
}

#[tokio::test]
async fn a_rotated_key_opens_old_texts_and_seals_new_ones_with_its_new_version() {
    for key in both_keys().await {
        let envelope = envelope_of(&key);
        let old = envelope.seal(b"old", &PLACE).await.unwrap();
        key.rotate();
        assert_eq!(envelope.open(&old, &PLACE).await.unwrap()[..], *b"old");
        let new = envelope.seal(b"new", &PLACE).await.unwrap();
        let [one, other] = [&old, &new].map(|text| key_version(text).unwrap());
        assert_eq!((one, other), (key.version(1), key.version(2)));
    }
}

#[tokio::test]
async fn rewrapping_moves_a_text_to_the_primary_version_and_then_does_nothing() {
    for key in both_keys().await {
        let envelope = envelope_of(&key);
        let old = envelope.seal(b"a token", &PLACE).await.unwrap();
        assert_eq!(envelope.rewrap(&old, &PLACE).await.unwrap(), None);
        key.rotate();
        // Also when its data key is cached from before.
        envelope.open(&old, &PLACE).await.unwrap();
        let new = envelope.rewrap(&old, &PLACE).await.unwrap().unwrap();
        assert_eq!(key_version(&new), Some(key.version(2)));
        assert_eq!(envelope.rewrap(&new, &PLACE).await.unwrap(), None);
        key.destroy(1);
        let later = envelope_of(&key);
        assert_eq!(later.open(&new, &PLACE).await.unwrap()[..], *b"a token");
        assert!(later.open(&old, &PLACE).await.is_err(), "{}", key.name);
        assert!(later.rewrap(&old, &PLACE).await.is_err(), "{}", key.name);
    }
}

#[tokio::test]
async fn a_text_is_lost_only_with_its_version() {
    for key in both_keys().await {
        let envelope = envelope_of(&key);
        let old = envelope.seal(b"a token", &PLACE).await.unwrap();
        key.rotate();
        let new = envelope.seal(b"a token", &PLACE).await.unwrap();
        assert!(!envelope.is_lost(&old).await.unwrap(), "{}", key.name);
        key.destroy(1);
        assert!(envelope.is_lost(&old).await.unwrap(), "{}", key.name);
        assert!(!envelope.is_lost(&new).await.unwrap(), "{}", key.name);
        assert!(envelope.is_lost("no text").await.is_err(), "{}", key.name);
    }
}
