//! The verifiers that an [`AuthConfig`] asks for, and the keys they ask for.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use serde_json::{Value, json};
use shared::{
    auth::{AuthConfig, Error, FetchedKeys, FirebaseVerifier, KeySet, KeySource, TokenVerifier},
    clock::{Clock, SharedClock},
    config::{self, Env, ServiceConfig},
};

use super::{
    firebase_rows::{PROJECT, claims},
    forge::{Forge, NOW, Recipe, Signer, encode},
};

/// A clock that stands at the time of the tokens.
pub(crate) struct TokenClock;

impl Clock for TokenClock {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_second(NOW).unwrap()
    }
}

/// A source of keys that counts how often it is asked; without keys it fails.
#[derive(Default)]
pub(crate) struct CountedKeys {
    keys: Mutex<Option<KeySet>>,
    fetches: AtomicUsize,
}

impl CountedKeys {
    pub(crate) fn of(forge: &Forge) -> Arc<Self> {
        let keys = Self::default();
        keys.publish(forge);
        Arc::new(keys)
    }

    pub(crate) fn none() -> Arc<Self> {
        Arc::default()
    }

    fn publish(&self, forge: &Forge) {
        *self.keys.lock().unwrap() = Some(forge.keys());
    }

    pub(crate) fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl KeySource for CountedKeys {
    async fn fetch(&self) -> Result<FetchedKeys, Error> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        let keys = self.keys.lock().unwrap().clone();
        Ok(FetchedKeys {
            keys: keys.ok_or_else(|| Error::KeysUnavailable("no keys".into()))?,
            max_age: std::time::Duration::from_secs(60),
        })
    }
}

pub(crate) fn clock() -> SharedClock {
    Arc::new(TokenClock)
}

fn firebase(keys: &Arc<CountedKeys>) -> FirebaseVerifier {
    FirebaseVerifier::new(PROJECT, keys.clone(), clock())
}

fn configured(emulator_host: Option<&str>) -> Arc<dyn TokenVerifier> {
    let config = AuthConfig {
        project_id: PROJECT.to_owned(),
        emulator_host: emulator_host.map(str::to_owned),
    };
    config.verifier(clock(), reqwest::Client::default())
}

fn emulator() -> Arc<dyn TokenVerifier> {
    configured(Some("127.0.0.1:9099"))
}

fn unsigned(claims: &Value) -> String {
    let header = json!({"alg": "none", "typ": "JWT"});
    format!(
        "{}.{}.",
        encode(header.to_string()),
        encode(claims.to_string())
    )
}

#[tokio::test]
async fn a_signed_token_is_verified_with_the_fetched_keys() {
    let forge = Forge::new(claims());
    let keys = CountedKeys::of(&forge);
    let verifier = firebase(&keys);
    for _ in 0..3 {
        let claims = verifier.verify(&forge.good()).await.unwrap();
        assert_eq!(claims.uid.as_str(), "uid1");
    }
    assert_eq!(keys.fetches(), 1);
}

#[tokio::test]
async fn no_keys_are_fetched_for_a_token_that_is_wrong_anyway() {
    let forge = Forge::new(claims());
    let keys = CountedKeys::none();
    let foreign = forge.make(&Recipe::Claim("aud", json!("other-p")));
    let error = firebase(&keys).verify(&foreign).await.unwrap_err();
    assert!(matches!(error, Error::Claim("aud")), "{error:?}");
    assert_eq!(keys.fetches(), 0);
}

#[tokio::test]
async fn any_number_of_unknown_keys_make_one_fetch() {
    let forge = Forge::new(claims());
    let keys = CountedKeys::of(&forge);
    let verifier = firebase(&keys);
    for number in 0..50 {
        let forged = Recipe::Parameter("kid", json!(format!("forged{number}")));
        let error = verifier.verify(&forge.make(&forged)).await.unwrap_err();
        assert!(matches!(error, Error::UnknownKey), "{error:?}");
    }
    assert_eq!(keys.fetches(), 1);
    assert!(verifier.verify(&forge.good()).await.is_ok());
}

#[tokio::test]
async fn without_the_emulator_variable_unsigned_tokens_are_refused() {
    let error = configured(None).verify(&unsigned(&claims())).await;
    assert!(matches!(error, Err(Error::Algorithm)), "{error:?}");
}

#[tokio::test]
async fn the_emulator_s_tokens_are_accepted_for_the_emulator() {
    let claims = emulator().verify(&unsigned(&claims())).await.unwrap();
    assert_eq!(claims.uid.as_str(), "uid1");
}

#[tokio::test]
async fn claims_are_checked_for_the_emulator_too() {
    let forge = Forge::new(claims());
    let unsigned_with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        unsigned(&claims)
    };
    let rows = [
        (unsigned_with("aud", json!("other-p")), r#"Claim("aud")"#),
        (
            unsigned_with("auth_time", Value::Null),
            r#"Claim("auth_time")"#,
        ),
        (unsigned_with("exp", json!(NOW - 1)), "Expired"),
        (format!("{}AAAA", unsigned(&claims())), "Signature"),
        (
            forge.make(&Recipe::Signed("none", Signer::Rs256)),
            "Signature",
        ),
        (forge.good(), "Algorithm"),
        ("owner".to_owned(), "Malformed"),
    ];
    for (token, expected) in rows {
        let error = emulator().verify(&token).await.unwrap_err();
        assert_eq!(format!("{error:?}"), expected);
    }
}

#[test]
fn the_emulator_cannot_be_reached_on_cloud_run() {
    let variables = [
        ("GOOGLE_CLOUD_PROJECT", PROJECT),
        ("FIREBASE_AUTH_EMULATOR_HOST", "127.0.0.1:9099"),
    ];
    let env = Env::from_pairs(variables);
    let service = ServiceConfig::load(&env).unwrap();
    let config = AuthConfig::load(&env, &service).unwrap();
    assert_eq!(config.emulator_host.as_deref(), Some("127.0.0.1:9099"));

    let env = Env::from_pairs(variables.into_iter().chain([("K_SERVICE", "api")]));
    let name = "FIREBASE_AUTH_EMULATOR_HOST";
    for error in [
        AuthConfig::load(&env, &service).unwrap_err(),
        ServiceConfig::load(&env).unwrap_err(),
    ] {
        assert!(
            matches!(error, config::Error::DevelopmentOnly(found) if found == name),
            "{error}"
        );
    }
}
