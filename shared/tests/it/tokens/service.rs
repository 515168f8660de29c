//! The table of service accounts' tokens against the verifier and the guard.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::FromRef,
    routing::post,
};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use shared::{
    auth::{ServiceAccount, ServiceAuthConfig, ServiceTokenVerifier, SignatureCheck},
    http::{EdgeConfig, ServiceCaller, ServiceCallers, edge},
};
use tower::ServiceExt;

use super::{
    forge::{
        Forge, NOW, Parts, Recipe, Row, Signer, TRAP,
        Verdict::{self, Accepted, Malformed, Refused},
    },
    verifier::{CountedKeys, clock},
};

const AUDIENCE: &str = "https://execute-workflow.example.run.app";
const ACCOUNT: &str = "events@demo-p.iam.gserviceaccount.com";
const OTHER_ACCOUNT: &str = "scheduler@demo-p.iam.gserviceaccount.com";

/// The claims that Pub/Sub's documentation shows
/// (<https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions#claim>).
fn claims() -> Value {
    json!({
        "aud": AUDIENCE,
        "azp": "113774264463038321964",
        "email": ACCOUNT,
        "email_verified": true,
        "exp": NOW + 3540,
        "iat": NOW - 60,
        "iss": "https://accounts.google.com",
        "sub": "113774264463038321964",
    })
}

fn claim(name: &'static str, value: impl Into<Value>) -> Recipe {
    Recipe::Claim(name, value.into())
}

/// Every row of the table.
fn rows() -> Vec<Row> {
    let mut rows = vec![
        ("good", Recipe::Good, Accepted),
        ("the other account", claim("email", OTHER_ACCOUNT), Accepted),
        (
            "iss without scheme",
            claim("iss", "accounts.google.com"),
            Accepted,
        ),
        ("no azp", Recipe::NoClaims(&["azp"]), Accepted),
        ("iat at the skew", claim("iat", NOW + 300), Accepted),
    ];
    rows.extend(issuers_and_audiences());
    rows.extend(accounts());
    rows.extend(times());
    rows.extend(forged());
    rows
}

fn issuers_and_audiences() -> Vec<Row> {
    let refused = Verdict::Claim;
    let firebase = "https://securetoken.google.com/demo-p";
    vec![
        ("no iss", Recipe::NoClaims(&["iss"]), refused("iss")),
        ("iss of Firebase", claim("iss", firebase), refused("iss")),
        (
            "iss with a slash",
            claim("iss", "https://accounts.google.com/"),
            refused("iss"),
        ),
        (
            "iss without TLS",
            claim("iss", "http://accounts.google.com"),
            refused("iss"),
        ),
        (
            "iss a list",
            claim("iss", json!(["accounts.google.com"])),
            refused("iss"),
        ),
        ("iss a trap", claim("iss", TRAP), refused("iss")),
        ("no aud", Recipe::NoClaims(&["aud"]), refused("aud")),
        ("aud empty", claim("aud", ""), refused("aud")),
        (
            "aud of another service",
            claim("aud", "https://other.run.app"),
            refused("aud"),
        ),
        (
            "aud with a slash",
            claim("aud", format!("{AUDIENCE}/")),
            refused("aud"),
        ),
        (
            "aud a list",
            claim("aud", json!([AUDIENCE])),
            refused("aud"),
        ),
        ("no sub", Recipe::NoClaims(&["sub"]), refused("sub")),
        ("sub a number", claim("sub", 1), refused("sub")),
    ]
}

fn accounts() -> Vec<Row> {
    let refused = Verdict::Claim;
    let foreign = || Refused("ServiceAccount");
    vec![
        (
            "a foreign account",
            claim("email", "a@evil.iam.gserviceaccount.com"),
            foreign(),
        ),
        (
            "a longer name",
            claim("email", format!("x{ACCOUNT}")),
            foreign(),
        ),
        (
            "a longer domain",
            claim("email", format!("{ACCOUNT}.evil.example")),
            foreign(),
        ),
        (
            "in capitals",
            claim("email", ACCOUNT.to_uppercase()),
            foreign(),
        ),
        (
            "both accounts",
            claim("email", format!("{ACCOUNT},{OTHER_ACCOUNT}")),
            foreign(),
        ),
        ("no email", Recipe::NoClaims(&["email"]), refused("email")),
        ("email empty", claim("email", ""), refused("email")),
        (
            "email a list",
            claim("email", json!([ACCOUNT])),
            refused("email"),
        ),
        (
            "email_verified absent",
            Recipe::NoClaims(&["email_verified"]),
            refused("email_verified"),
        ),
        (
            "email_verified false",
            claim("email_verified", false),
            refused("email_verified"),
        ),
        (
            "email_verified text",
            claim("email_verified", "true"),
            refused("email_verified"),
        ),
    ]
}

fn times() -> Vec<Row> {
    let refused = Verdict::Claim;
    vec![
        ("no exp", Recipe::NoClaims(&["exp"]), refused("exp")),
        (
            "exp text",
            claim("exp", (NOW + 60).to_string()),
            refused("exp"),
        ),
        ("expires now", claim("exp", NOW), Refused("Expired")),
        ("no iat", Recipe::NoClaims(&["iat"]), refused("iat")),
        ("iat past the skew", claim("iat", NOW + 301), refused("iat")),
        ("iat a fraction", claim("iat", 1.5), refused("iat")),
        ("nbf past the skew", claim("nbf", NOW + 301), refused("nbf")),
    ]
}

fn forged() -> Vec<Row> {
    let algorithm = || Refused("Algorithm");
    let signed = Recipe::Signed;
    let jku = Recipe::Parameter("jku", json!(format!("{TRAP}/keys")));
    vec![
        ("no token", Recipe::Altered(|_| String::new()), Malformed),
        ("large", claim("x", "x".repeat(7000)), Refused("TooLarge")),
        (
            "email twice",
            Recipe::Payload(|text| {
                text.replacen('{', r#"{"email":"a@evil.example","#, 1)
                    .into_bytes()
            }),
            Malformed,
        ),
        ("alg none", signed("none", Signer::Nobody), algorithm()),
        (
            "HS256 with the key",
            signed("HS256", Signer::Hs256WithDer),
            algorithm(),
        ),
        ("RS384", signed("RS384", Signer::Rs384), algorithm()),
        ("ES256", signed("ES256", Signer::Es256), algorithm()),
        (
            "kid unknown",
            Recipe::Parameter("kid", json!("k2")),
            Refused("UnknownKey"),
        ),
        ("no kid", Recipe::NoParameter("kid"), Verdict::Header("kid")),
        ("jku", jku, Verdict::Header("jku")),
        (
            "another key",
            signed("RS256", Signer::Forger),
            Refused("Signature"),
        ),
        (
            "unsigned",
            signed("RS256", Signer::Nobody),
            Refused("Signature"),
        ),
        (
            "signature removed",
            Recipe::Altered(without_signature),
            Refused("Signature"),
        ),
    ]
}

/// As Cloud Run passes tokens on that it has checked.
fn without_signature(
    Parts {
        header, payload, ..
    }: &Parts,
) -> String {
    format!("{header}.{payload}.SIGNATURE_REMOVED_BY_GOOGLE")
}

fn verifier(keys: &Arc<CountedKeys>, check: SignatureCheck) -> Arc<dyn ServiceTokenVerifier> {
    let config = ServiceAuthConfig {
        audience: AUDIENCE.to_owned(),
        service_accounts: vec![OTHER_ACCOUNT.to_owned(), ACCOUNT.to_owned()],
        signature_check: check,
    };
    config.verifier(keys.clone(), clock())
}

#[derive(Clone)]
struct State(ServiceCallers);

impl FromRef<State> for ServiceCallers {
    fn from_ref(state: &State) -> Self {
        state.0.clone()
    }
}

fn guarded(callers: ServiceCallers) -> Router {
    let routes = Router::new()
        .route("/", post(async |_: ServiceCaller| StatusCode::NO_CONTENT))
        .with_state(State(callers));
    edge(routes, &EdgeConfig::default())
}

/// Status and, of an error, code.
async fn deliver(router: &Router, authorization: &[String]) -> (u16, String) {
    let mut request = Request::post("/");
    for value in authorization {
        request = request.header("authorization", value);
    }
    let request = request.body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let code = body["error"]["code"].as_str().unwrap_or_default();
    (status, code.to_owned())
}

#[tokio::test]
async fn every_token_gets_its_verdict() {
    let forge = Forge::new(claims());
    let keys = CountedKeys::of(&forge);
    let verifier = verifier(&keys, SignatureCheck::Function);
    let rows = rows();
    assert_eq!(rows.len(), 49);
    for (name, recipe, verdict) in rows {
        verdict.assert(verifier.verify(&forge.make(&recipe)).await, name);
    }
    // One for the first token, one for the unknown key.
    assert_eq!(keys.fetches(), 2);
}

#[tokio::test]
async fn the_account_is_told() {
    let forge = Forge::new(claims());
    let verifier = verifier(&CountedKeys::of(&forge), SignatureCheck::Function);
    let account = verifier.verify(&forge.good()).await.unwrap();
    let email = ACCOUNT.to_owned();
    assert_eq!(account, ServiceAccount { email });
}

#[tokio::test]
async fn every_refusal_has_its_status_at_the_door() {
    let forge = Forge::new(claims());
    let verifier = verifier(&CountedKeys::of(&forge), SignatureCheck::Function);
    let router = guarded(ServiceCallers::verified_by(verifier));
    for (name, recipe, verdict) in rows() {
        let expected = match verdict {
            Accepted => (204, ""),
            Refused("ServiceAccount") => (403, "permission_denied"),
            _ => (401, "unauthenticated"),
        };
        let token = format!("Bearer {}", forge.make(&recipe));
        let (status, code) = deliver(&router, &[token]).await;
        assert_eq!((status, code.as_str()), expected, "{name}");
    }
    let good = format!("Bearer {}", forge.good());
    let refused = [
        vec![],
        vec![String::new()],
        vec![good.replace("Bearer", "Basic")],
        vec![good.clone(), good],
    ];
    for headers in refused {
        let (status, code) = deliver(&router, &headers).await;
        assert_eq!((status, code.as_str()), (401, "unauthenticated"));
    }
}

#[tokio::test]
async fn without_keys_the_event_is_to_come_again() {
    let forge = Forge::new(claims());
    let verifier = verifier(&CountedKeys::none(), SignatureCheck::Function);
    let router = guarded(ServiceCallers::verified_by(verifier));
    let token = format!("Bearer {}", forge.good());
    let answer = deliver(&router, &[token]).await;
    assert_eq!(answer, (503, "unavailable".to_owned()));
}

#[tokio::test]
async fn unchecked_callers_need_no_token() {
    let router = guarded(ServiceCallers::unchecked());
    assert_eq!(deliver(&router, &[]).await, (204, String::new()));
}

#[tokio::test]
async fn behind_the_check_of_cloud_run_only_its_mark_stands_for_a_signature() {
    let forge = Forge::new(claims());
    let keys = CountedKeys::of(&forge);
    let verifier = verifier(&keys, SignatureCheck::CloudRun);
    let removed = Recipe::Altered(without_signature);
    assert!(verifier.verify(&forge.make(&removed)).await.is_ok());
    assert_eq!(keys.fetches(), 0);
    for (name, recipe, verdict) in rows() {
        if name != "signature removed" {
            verdict.assert(verifier.verify(&forge.make(&recipe)).await, name);
        }
    }
}

#[tokio::test]
async fn claims_are_checked_behind_the_check_of_cloud_run_too() {
    let good = claims();
    let rows = [
        ("aud", json!("https://other.run.app"), Verdict::Claim("aud")),
        ("iss", json!("https://evil.example"), Verdict::Claim("iss")),
        ("exp", json!(NOW), Refused("Expired")),
        (
            "email_verified",
            json!(false),
            Verdict::Claim("email_verified"),
        ),
        ("email", json!("a@evil.example"), Refused("ServiceAccount")),
    ];
    for (name, value, verdict) in rows {
        let mut claims = good.clone();
        claims[name] = value;
        let forge = Forge::new(claims);
        let verifier = verifier(&CountedKeys::none(), SignatureCheck::CloudRun);
        let token = forge.make(&Recipe::Altered(without_signature));
        verdict.assert(verifier.verify(&token).await, name);
    }
}
