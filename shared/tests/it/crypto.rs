//! Keys of Cloud KMS and of this machine: the same tags, and the same care.

use base64::{Engine, engine::general_purpose::STANDARD};
use google_cloud_auth::credentials::anonymous;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use shared::crypto::{CloudKmsMac, Error, LocalMac, MacKey};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers};

const VERSION: &str = "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1";

/// Cloud KMS as <https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys.cryptoKeyVersions/macSign>
/// tells, with `change` made to its answers.
async fn kms(change: fn(&mut Value)) -> (MockServer, CloudKmsMac) {
    let server = MockServer::start().await;
    let sign = move |request: &Request| {
        let body: Value = request.body_json().unwrap();
        let data = STANDARD.decode(body["data"].as_str().unwrap()).unwrap();
        let checksum = body["dataCrc32c"].as_str().unwrap().parse::<u32>().unwrap();
        assert_eq!(checksum, crc32c::crc32c(&data));
        let mac = futures::executor::block_on(local().sign(&data)).unwrap();
        let mac = mac.expose_secret();
        let mut answer = json!({
            "name": VERSION,
            "mac": STANDARD.encode(mac),
            "macCrc32c": crc32c::crc32c(mac).to_string(),
            "verifiedDataCrc32c": true,
            "protectionLevel": "SOFTWARE",
        });
        change(&mut answer);
        ResponseTemplate::new(200).set_body_json(answer)
    };
    Mock::given(matchers::method("POST"))
        .and(matchers::path(format!("/v1/{VERSION}:macSign")))
        .respond_with(sign)
        .mount(&server)
        .await;
    let credentials = anonymous::Builder::new().build();
    let key = CloudKmsMac::new(VERSION.to_owned()).at(server.uri(), credentials);
    (server, key)
}

fn local() -> LocalMac {
    LocalMac::new("a key that Cloud KMS keeps".into())
}

#[tokio::test]
async fn both_keys_make_the_same_tags() {
    let (_server, remote) = kms(|_| ()).await;
    for message in [&b"a"[..], &[0xff; 1_000]] {
        let (near, far) = (local().sign(message).await, remote.sign(message).await);
        assert_eq!(near.unwrap().expose_secret(), far.unwrap().expose_secret());
    }
    assert_eq!(remote.version(), VERSION);
}

#[tokio::test]
async fn a_tag_is_that_of_rfc_4231() {
    // Test case 2.
    let key = LocalMac::new("Jefe".into());
    let tag = key.sign(b"what do ya want for nothing?");
    let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(hex::encode(tag.await.unwrap().expose_secret()), expected);
}

#[tokio::test]
async fn a_damaged_answer_is_never_taken_for_a_tag() {
    let damages: [fn(&mut Value); 5] = [
        |answer| answer["mac"] = json!(STANDARD.encode([1; 32])),
        |answer| answer["mac"] = json!(STANDARD.encode([1; 16])),
        |answer| answer["macCrc32c"] = json!("1"),
        |answer| answer["verifiedDataCrc32c"] = json!(false),
        |answer| answer["name"] = json!(VERSION.replace("Versions/1", "Versions/2")),
    ];
    for damage in damages {
        let (_server, key) = kms(damage).await;
        assert!(matches!(key.sign(b"a").await, Err(Error::Damaged)));
    }
}

#[tokio::test]
async fn a_missing_key_is_refused_and_an_overloaded_one_may_come_back() {
    for (status, is_refused) in [(403, true), (404, true), (503, false)] {
        let server = MockServer::start().await;
        let answer = ResponseTemplate::new(status);
        let mock = Mock::given(matchers::any()).respond_with(answer);
        mock.mount(&server).await;
        let credentials = anonymous::Builder::new().build();
        let key = CloudKmsMac::new(VERSION.to_owned()).at(server.uri(), credentials);
        let error = key.sign(b"a").await.err().unwrap();
        assert_eq!(
            matches!(error, Error::Refused(_)),
            is_refused,
            "{status} {error:?}"
        );
    }
}
