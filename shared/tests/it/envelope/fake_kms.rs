//! Cloud KMS as its reference tells
//! (<https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys>),
//! with a cipher that is not ours.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::{Engine, engine::general_purpose::STANDARD};
use google_cloud_auth::credentials::anonymous;
use serde_json::{Value, json};
use shared::crypto::CloudKmsEncryption;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers};

use crate::contract::check_cloud_kms;

pub(super) const KEY: &str = "projects/p/locations/l/keyRings/r/cryptoKeys/k";

/// What is done to an answer on its way.
type Damage = fn(&mut Value);

/// Its state, which outlives each call.
#[derive(Clone, Default)]
pub(super) struct FakeKms {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    primary: u8,
    /// Absent ones are destroyed.
    versions: BTreeMap<u8, RandomizedNonceKey>,
    /// Calls by method.
    calls: BTreeMap<String, usize>,
    /// What it answers instead.
    failure: Option<(u16, &'static str)>,
    damage: Option<Damage>,
}

impl FakeKms {
    /// A server with one version of the key, and its client.
    pub(super) async fn start() -> (Self, MockServer, CloudKmsEncryption) {
        let kms = Self::default();
        kms.rotate();
        let server = MockServer::start().await;
        let mock = Mock::given(matchers::any()).respond_with(kms.clone());
        mock.mount(&server).await;
        let credentials = anonymous::Builder::new().build();
        let key = CloudKmsEncryption::new(KEY.to_owned()).at(server.uri(), credentials);
        (kms, server, key)
    }

    /// Adds a version, which becomes the primary one.
    pub(super) fn rotate(&self) {
        let mut state = self.state.lock().unwrap();
        state.primary += 1;
        let primary = state.primary;
        let key = RandomizedNonceKey::new(&AES_256_GCM, &[primary; 32]).unwrap();
        state.versions.insert(primary, key);
    }

    pub(super) fn destroy(&self, version: u8) {
        self.state.lock().unwrap().versions.remove(&version);
    }

    /// From now on every call fails, or none does.
    pub(super) fn fail(&self, failure: Option<(u16, &'static str)>) {
        self.state.lock().unwrap().failure = failure;
    }

    /// From now on every answer is damaged.
    pub(super) fn damage(&self, damage: Damage) {
        self.state.lock().unwrap().damage = Some(damage);
    }

    /// How often a method was called.
    pub(super) fn calls(&self, method: &str) -> usize {
        let state = self.state.lock().unwrap();
        state.calls.get(method).copied().unwrap_or_default()
    }
}

impl Respond for FakeKms {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut state = self.state.lock().unwrap();
        let path = request.url.path();
        assert!(path.starts_with(&format!("/v1/{KEY}")), "{path}");
        let method = path.rsplit_once(':').map_or("get", |(_, method)| method);
        *state.calls.entry(method.to_owned()).or_default() += 1;
        if let Some((status, code)) = state.failure {
            return refusal(status, code);
        }
        let body: Value = request.body_json().unwrap_or_default();
        let answer = match method {
            "encrypt" => encrypt(&state, &body),
            "decrypt" => decrypt(&state, &body),
            _ => Ok(version(&state, path)),
        };
        match answer {
            Ok(mut answer) => {
                if let Some(damage) = state.damage {
                    damage(&mut answer);
                }
                ResponseTemplate::new(200).set_body_json(answer)
            }
            Err((status, code)) => refusal(status, code),
        }
    }
}

/// A failure as the API design guide tells (<https://google.aip.dev/193>).
fn refusal(status: u16, code: &str) -> ResponseTemplate {
    let error = json!({ "code": status, "status": code, "message": "told by the fake" });
    ResponseTemplate::new(status).set_body_json(json!({ "error": error }))
}

type Answer = Result<Value, (u16, &'static str)>;

const PRECONDITION: (u16, &str) = (400, "FAILED_PRECONDITION");
const ARGUMENT: (u16, &str) = (400, "INVALID_ARGUMENT");

/// A field of bytes, if its checksum is that of what has arrived.
fn bytes(body: &Value, field: &str) -> Vec<u8> {
    let bytes = STANDARD.decode(body[field].as_str().unwrap()).unwrap();
    let checksum = body[format!("{field}Crc32c")].as_str().unwrap();
    assert_eq!(checksum, crc32c::crc32c(&bytes).to_string(), "{field}");
    bytes
}

/// What Cloud KMS encrypts begins with the version, which only Cloud KMS reads.
fn encrypt(state: &State, body: &Value) -> Answer {
    check_cloud_kms("EncryptRequest", body).unwrap();
    let key = state.versions.get(&state.primary).ok_or(PRECONDITION)?;
    let mut text = bytes(body, "plaintext");
    let data = bytes(body, "additionalAuthenticatedData");
    let nonce = key.seal_in_place_append_tag(Aad::from(data), &mut text);
    let nonce = nonce.unwrap();
    let ciphertext = [&[state.primary][..], nonce.as_ref(), &text].concat();
    let answer = json!({
        "name": format!("{KEY}/cryptoKeyVersions/{}", state.primary),
        "ciphertext": STANDARD.encode(&ciphertext),
        "ciphertextCrc32c": crc32c::crc32c(&ciphertext).to_string(),
        "verifiedPlaintextCrc32c": true,
        "verifiedAdditionalAuthenticatedDataCrc32c": true,
        "protectionLevel": "SOFTWARE",
    });
    check_cloud_kms("EncryptResponse", &answer).unwrap();
    Ok(answer)
}

fn decrypt(state: &State, body: &Value) -> Answer {
    check_cloud_kms("DecryptRequest", body).unwrap();
    let ciphertext = bytes(body, "ciphertext");
    let data = bytes(body, "additionalAuthenticatedData");
    let (&version, rest) = ciphertext.split_first().ok_or(ARGUMENT)?;
    let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>().ok_or(ARGUMENT)?;
    let is_one = (1..=state.primary).contains(&version);
    let key = state.versions.get(&version);
    let key = key.ok_or(if is_one { PRECONDITION } else { ARGUMENT })?;
    let (nonce, mut text) = (Nonce::assume_unique_for_key(*nonce), text.to_vec());
    let opened = key.open_in_place(nonce, Aad::from(data), &mut text);
    let opened = opened.map_err(|_| ARGUMENT)?;
    let answer = json!({
        "plaintext": STANDARD.encode(&*opened),
        "plaintextCrc32c": crc32c::crc32c(opened).to_string(),
        "usedPrimary": version == state.primary,
        "protectionLevel": "SOFTWARE",
    });
    check_cloud_kms("DecryptResponse", &answer).unwrap();
    Ok(answer)
}

fn version(state: &State, path: &str) -> Value {
    let (_, number) = path.rsplit_once('/').unwrap();
    let is_there = state.versions.contains_key(&number.parse().unwrap());
    json!({
        "name": path.trim_start_matches("/v1/"),
        "state": if is_there { "ENABLED" } else { "DESTROYED" },
    })
}
