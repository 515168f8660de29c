use serde_json::{Value, json};

use super::*;
use crate::{
    auth::{
        keys::{FetchedKeys, KeySet},
        signing::{NOW, PROJECT, SigningKey, encode, payload, with, without},
    },
    clock::Clock,
};

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_second(NOW).unwrap()
    }
}

struct FixedKeys(KeySet);

#[async_trait]
impl KeySource for FixedKeys {
    async fn fetch(&self) -> Result<FetchedKeys, Error> {
        Ok(FetchedKeys {
            keys: self.0.clone(),
            max_age: std::time::Duration::from_secs(60),
        })
    }
}

struct NoKeys;

#[async_trait]
impl KeySource for NoKeys {
    async fn fetch(&self) -> Result<FetchedKeys, Error> {
        panic!("a token that is wrong without its signature needs no keys")
    }
}

fn emulator() -> Arc<dyn TokenVerifier> {
    let config = AuthConfig {
        project_id: PROJECT.to_owned(),
        emulator_host: Some("127.0.0.1:9099".to_owned()),
    };
    config.verifier(Arc::new(FixedClock), reqwest::Client::default())
}

fn unsigned(header: Value, payload: Value) -> String {
    format!(
        "{}.{}.",
        encode(&header.to_string()),
        encode(&payload.to_string())
    )
}

fn unsigned_header() -> Value {
    json!({"alg": "none", "typ": "JWT"})
}

#[tokio::test]
async fn a_signed_token_is_verified_with_the_fetched_keys() {
    let key = SigningKey::generate("k1");
    let keys = FixedKeys(KeySet::from_jwks(&key.jwks()).unwrap());
    let verifier = FirebaseVerifier::new(PROJECT, Arc::new(keys), Arc::new(FixedClock));
    let good = key.sign(&key.header(), &payload());
    assert_eq!(verifier.verify(&good).await.unwrap().uid.as_str(), "uid1");
    let unknown = key.sign(&with(key.header(), "kid", "k2"), &payload());
    let error = verifier.verify(&unknown).await.unwrap_err();
    assert!(matches!(error, Error::UnknownKey), "{error:?}");
}

#[tokio::test]
async fn no_keys_are_fetched_for_a_token_that_is_wrong_anyway() {
    let key = SigningKey::generate("k1");
    let verifier = FirebaseVerifier::new(PROJECT, Arc::new(NoKeys), Arc::new(FixedClock));
    let foreign = key.sign(&key.header(), &with(payload(), "aud", "other-p"));
    let error = verifier.verify(&foreign).await.unwrap_err();
    assert!(matches!(error, Error::Claim("aud")), "{error:?}");
}

#[tokio::test]
async fn without_the_emulator_variable_unsigned_tokens_are_refused() {
    let config = AuthConfig {
        project_id: PROJECT.to_owned(),
        emulator_host: None,
    };
    let verifier = config.verifier(Arc::new(FixedClock), reqwest::Client::default());
    let token = unsigned(unsigned_header(), payload());
    let error = verifier.verify(&token).await.unwrap_err();
    assert!(matches!(error, Error::Algorithm), "{error:?}");
}

#[tokio::test]
async fn the_emulator_s_tokens_are_accepted_for_the_emulator() {
    let token = unsigned(unsigned_header(), payload());
    let claims = emulator().verify(&token).await.unwrap();
    assert_eq!(claims.uid.as_str(), "uid1");
}

#[tokio::test]
async fn claims_are_checked_for_the_emulator_too() {
    let key = SigningKey::generate("k1");
    let token = |payload: Value| unsigned(unsigned_header(), payload);
    let rows = [
        (token(with(payload(), "aud", "other-p")), r#"Claim("aud")"#),
        (
            token(without(payload(), "auth_time")),
            r#"Claim("auth_time")"#,
        ),
        (token(with(payload(), "exp", NOW - 1)), "Expired"),
        (format!("{}AAAA", token(payload())), "Signature"),
        (key.sign(&key.header(), &payload()), "Algorithm"),
        ("owner".to_owned(), "Malformed"),
    ];
    for (token, expected) in rows {
        let error = emulator().verify(&token).await.unwrap_err();
        assert_eq!(format!("{error:?}"), expected);
    }
}

#[test]
fn the_emulator_variable_is_refused_on_cloud_run() {
    let variables = [
        ("GOOGLE_CLOUD_PROJECT", PROJECT),
        ("FIREBASE_AUTH_EMULATOR_HOST", "127.0.0.1:9099"),
    ];
    let env = Env::from_pairs(variables);
    let service = ServiceConfig::load(&env).unwrap();
    let config = AuthConfig::load(&env, &service).unwrap();
    assert_eq!(config.emulator_host.as_deref(), Some("127.0.0.1:9099"));

    let env = Env::from_pairs(variables.into_iter().chain([("K_SERVICE", "api")]));
    let error = AuthConfig::load(&env, &service).unwrap_err();
    let name = "FIREBASE_AUTH_EMULATOR_HOST";
    assert!(
        matches!(error, config::Error::DevelopmentOnly(found) if found == name),
        "{error}"
    );
}
