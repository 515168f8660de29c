//! Keys that were unwrapped a short while ago.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use shared::crypto::{Envelope, EnvelopeError};

use super::{PLACE, both_keys, clock, keys::kms_key};

#[tokio::test]
async fn a_text_is_opened_many_times_with_one_call() {
    for key in both_keys().await {
        let envelope = Envelope::new(Arc::new(key.clone()), clock().shared());
        let sealed = envelope.seal(b"a token", &PLACE).await.unwrap();
        for _ in 0..100 {
            envelope.clone().open(&sealed, &PLACE).await.unwrap();
        }
        assert_eq!(key.unwrapped(), 1, "{}", key.name);
    }
}

#[tokio::test]
async fn each_text_costs_one_call_and_each_of_its_places_another() {
    let key = kms_key().await;
    let envelope = Envelope::new(Arc::new(key.clone()), clock().shared());
    let texts = (0..10).map(|_| envelope.seal(b"a token", &PLACE));
    let texts: Vec<String> = join_all(texts)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    for text in texts.iter().chain(&texts) {
        envelope.open(text, &PLACE).await.unwrap();
    }
    assert_eq!(
        (key.kms().calls("encrypt"), key.kms().calls("decrypt")),
        (10, 10)
    );
    let elsewhere = super::Place {
        org_id: "o2",
        ..PLACE
    };
    assert!(envelope.open(&texts[0], &elsewhere).await.is_err());
    assert_eq!(key.kms().calls("decrypt"), 11);
}

#[tokio::test]
async fn while_cloud_kms_is_down_cached_keys_open_for_five_minutes() {
    let key = kms_key().await;
    let clock = clock();
    let envelope = Envelope::new(Arc::new(key.clone()), clock.shared());
    let sealed = envelope.seal(b"a token", &PLACE).await.unwrap();
    let other = envelope.seal(b"another", &PLACE).await.unwrap();
    envelope.open(&sealed, &PLACE).await.unwrap();
    key.kms().fail(Some((503, "UNAVAILABLE")));
    clock.advance(Duration::from_secs(299));
    assert_eq!(
        envelope.open(&sealed, &PLACE).await.unwrap()[..],
        *b"a token"
    );
    let not_cached = envelope.open(&other, &PLACE).await;
    assert!(matches!(not_cached, Err(EnvelopeError::Unavailable(_))));
    clock.advance(Duration::from_secs(1));
    let too_old = envelope.open(&sealed, &PLACE).await;
    assert!(matches!(too_old, Err(EnvelopeError::Unavailable(_))));
    key.kms().fail(None);
    envelope.open(&sealed, &PLACE).await.unwrap();
}

#[tokio::test]
async fn nothing_that_failed_is_cached() {
    let key = kms_key().await;
    let envelope = Envelope::new(Arc::new(key.clone()), clock().shared());
    let sealed = envelope.seal(b"a token", &PLACE).await.unwrap();
    for failure in [(503, "UNAVAILABLE"), (403, "PERMISSION_DENIED")] {
        key.kms().fail(Some(failure));
        assert!(envelope.open(&sealed, &PLACE).await.is_err());
    }
    key.kms().fail(None);
    envelope.open(&sealed, &PLACE).await.unwrap();
}
