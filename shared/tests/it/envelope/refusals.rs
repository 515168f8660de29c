//! What Cloud KMS refuses, and what it fails at.

use google_cloud_auth::credentials::anonymous;
use serde_json::{Value, json};
use shared::crypto::{CloudKmsEncryption, DataKey, EncryptionKey, EnvelopeError, Error};
use tokio::net::TcpListener;

use super::{
    PLACE, envelope_of,
    fake_kms::KEY,
    keys::{both_keys, kms_key},
};

#[tokio::test]
async fn a_failure_that_may_pass_is_told_apart_from_one_that_will_not() {
    for (status, code, may_pass) in [
        (408, "DEADLINE_EXCEEDED", true),
        (429, "RESOURCE_EXHAUSTED", true),
        (500, "INTERNAL", true),
        (503, "UNAVAILABLE", true),
        (504, "DEADLINE_EXCEEDED", true),
        (400, "FAILED_PRECONDITION", false),
        (400, "INVALID_ARGUMENT", false),
        (403, "PERMISSION_DENIED", false),
        (404, "NOT_FOUND", false),
    ] {
        let key = kms_key().await;
        let envelope = envelope_of(&key);
        let sealed = envelope.seal(b"a token", &PLACE).await.unwrap();
        key.kms().fail(Some((status, code)));
        let errors = [
            envelope.open(&sealed, &PLACE).await.err(),
            envelope.rewrap(&sealed, &PLACE).await.err(),
            envelope.seal(b"a token", &PLACE).await.err(),
            envelope.is_lost(&sealed).await.err(),
        ];
        for error in errors.map(Option::unwrap) {
            let is_unavailable = matches!(error, EnvelopeError::Unavailable(_));
            assert_eq!(is_unavailable, may_pass, "{status} {error:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_keeper_that_never_answers_is_unavailable() {
    // Connections are made and nobody reads from them.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let credentials = anonymous::Builder::new().build();
    let key = CloudKmsEncryption::new(KEY.to_owned()).at(url, credentials);
    let wrapped = key.wrap_key(&DataKey::default(), b"data").await;
    assert!(matches!(wrapped, Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn a_damaged_wrapped_key_is_never_stored() {
    let damages: [fn(&mut Value); 6] = [
        |answer| answer["ciphertext"] = json!("AAAA"),
        |answer| answer["ciphertextCrc32c"] = json!("1"),
        |answer| answer["verifiedPlaintextCrc32c"] = json!(false),
        |answer| answer["verifiedAdditionalAuthenticatedDataCrc32c"] = json!(false),
        |answer| answer["name"] = json!(KEY),
        |answer| answer["name"] = json!(format!("{KEY}2/cryptoKeyVersions/1")),
    ];
    for damage in damages {
        let key = kms_key().await;
        key.kms().damage(damage);
        let wrapped = key.wrap_key(&DataKey::default(), b"data").await;
        assert!(matches!(wrapped, Err(Error::Damaged)), "{wrapped:?}");
    }
}

#[tokio::test]
async fn a_damaged_data_key_is_never_used() {
    let damages: [fn(&mut Value); 3] = [
        |answer| answer["plaintext"] = json!("AAAA"),
        |answer| answer["plaintextCrc32c"] = json!("1"),
        |answer| {
            answer["plaintext"] = json!("AAAA");
            answer["plaintextCrc32c"] = json!(crc32c::crc32c(&[0; 3]).to_string());
        },
    ];
    for damage in damages {
        let key = kms_key().await;
        let wrapped = key.wrap_key(&DataKey::default(), b"data").await.unwrap();
        key.kms().damage(damage);
        let unwrapped = key.unwrap_key(&wrapped, b"data").await;
        assert!(matches!(unwrapped, Err(Error::Damaged)), "{unwrapped:?}");
    }
}

#[tokio::test]
async fn no_key_is_shown() {
    for key in both_keys().await {
        let wrapped = key
            .wrap_key(&DataKey::new(Box::new([77; 32])), b"data")
            .await;
        let unwrapped = key.unwrap_key(&wrapped.unwrap(), b"data").await.unwrap();
        let shown = format!("{unwrapped:?}");
        assert!(!shown.contains("77"), "{shown}");
        assert!(shown.contains("REDACTED"), "{shown}");
    }
}
