//! Accounts are connected: by keys and by consent, with success and in every way that fails.

use aws_lc_rs::{
    encoding::AsDer,
    rsa::{KeyPair, KeySize},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use emulator_tests::stubs::{
    google::{SCOPES, account},
    vendors::Failure,
};
use reqwest::{Method, StatusCode, header::CONTENT_TYPE, redirect};
use serde_json::{Value, json};
use shared::testing::UserConsent;
use url::Url;

use crate::world::{Answer, World};

/// What vendors refuse or fail with. A 403 is for restricted keys, which Stripe may have.
const STATUSES: [u16; 6] = [400, 401, 404, 422, 429, 500];

/// Connects everything. Each vendor's failures come first.
pub(crate) async fn connect_all(world: &World) {
    for (vendor, request) in requests(world) {
        refused(world, vendor, &request).await;
        let answer = connect(world, &request).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{vendor}: {answer:?}");
        let id = answer.body["id"].as_str().unwrap();
        reconnect(world, vendor, id, &request).await;
    }
    misplaced(world).await;
    consent(world).await;
}

/// Bodies of `POST /integrations`; their secrets are good.
fn requests(world: &World) -> Vec<(&'static str, Value)> {
    let secrets = &world.secrets;
    let good = |name, prefix: &str| {
        let secret = secrets.make(name, prefix);
        world.vendors.accept(&secret);
        secret
    };
    let key = |service: &str, key: String| json!({ "service": service, "key": key });
    let sid = format!("AC{}", "0123456789abcdef".repeat(2));
    let token = secrets.make("GitHub installation token", "ghs_");
    world.vendors.give_to_apps(&token);
    vec![
        ("stripe", key("stripe", good("Stripe key", "sk_live_"))),
        ("github", key("github", good("GitHub token", "ghp_"))),
        (
            "github",
            json!({ "service": "github", "appId": "1", "installationId": "7",
                "privateKey": private_key(world) }),
        ),
        (
            "twilio",
            json!({ "service": "twilio", "accountSid": sid, "keySid": sid,
                "secret": good("Twilio secret", "") }),
        ),
        ("sendgrid", key("sendgrid", good("SendGrid key", "SG."))),
        ("openai", key("openai", good("OpenAI key", "sk-proj-"))),
        (
            "anthropic",
            key("anthropic", good("Anthropic key", "sk-ant-api03-")),
        ),
        ("gemini", key("gemini", good("Gemini key", "AIza"))),
    ]
}

/// A key in PEM; each of its lines is a secret, but the first, which all keys share.
fn private_key(world: &World) -> String {
    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = key.as_der().unwrap();
    let text = STANDARD.encode(der.as_ref());
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .map(|start| &text[start..(start + 64).min(text.len())])
        .collect();
    for line in &lines[2..8] {
        world.secrets.learn("GitHub App key", line);
    }
    let lines = lines.join("\n");
    format!("-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\n")
}

async fn refused(world: &World, vendor: &str, request: &Value) {
    for status in STATUSES {
        let failure = Failure::Echo(StatusCode::from_u16(status).unwrap());
        world.vendors.set_failure(vendor, Some(failure));
        let answer = connect(world, request).await;
        assert!(!answer.status.is_success(), "{vendor} {status}: {answer:?}");
    }
    world.vendors.set_failure(vendor, None);
}

async fn connect(world: &World, body: &Value) -> Answer {
    let request = world.client.request(Method::POST, "/integrations");
    let place = "POST /integrations";
    world.answers.send(place, request.json(body)).await
}

/// With what it has, and with a secret that is not good.
async fn reconnect(world: &World, vendor: &str, id: &str, connected: &Value) {
    let path = format!("/integrations/{id}/reconnect");
    let mut body = connected.clone();
    body.as_object_mut().unwrap().remove("service");
    let request = || world.client.request(Method::POST, &path);
    let place = "POST /integrations/{id}/reconnect";
    let answer = world.answers.send(place, request().json(&body)).await;
    assert_eq!(answer.status, StatusCode::OK, "{vendor}: {answer:?}");
    let new = world.secrets.make("refused key", "sk_");
    for field in ["key", "secret"] {
        if body[field].is_string() {
            body[field] = json!(new);
        }
    }
    if body["privateKey"].is_string() {
        body["privateKey"] = json!(format!("-----BEGIN PRIVATE KEY-----\n{new}\n"));
    }
    let answer = world.answers.send(place, request().json(&body)).await;
    assert!(!answer.status.is_success(), "{vendor}: {answer:?}");
    let request = world
        .client
        .request(Method::GET, &format!("/integrations/{id}"));
    let answer = world.answers.send("GET /integrations/{id}", request).await;
    assert_eq!(answer.status, StatusCode::OK);
}

/// A key where none belongs, and bodies that are none.
async fn misplaced(world: &World) {
    let key = world.secrets.make("misplaced key", "sk_live_");
    let bodies = [
        json!({ "service": key }).to_string(),
        json!({ "service": "stripe", key.as_str(): "x" }).to_string(),
        json!({ "service": "stripe", "key": { key.as_str(): 1 } }).to_string(),
        json!({ "service": "stripe", "key": [key] }).to_string(),
        json!({ "service": "stripe", "appId": key }).to_string(),
        json!({ "service": "twilio", "accountSid": key, "keySid": key, "secret": key }).to_string(),
        json!({ "service": "github", "appId": "1", "installationId": key, "privateKey": key })
            .to_string(),
        json!({ "service": "google", "key": key }).to_string(),
        json!({ "service": "stripe", "key": key.repeat(300) }).to_string(),
        json!({ "service": "stripe", "key": format!("{key}\r\nX: 1") }).to_string(),
        json!([key]).to_string(),
        json!(key).to_string(),
        format!(r#"{{"service":"stripe","key":"{key}"#),
        format!(r#"{{"service":"stripe","key":{key}}}"#),
        key.clone(),
    ];
    for body in bodies {
        for kind in ["application/json", "text/plain", &key] {
            let request = world.client.request(Method::POST, "/integrations");
            let request = request.header(CONTENT_TYPE, kind).body(body.clone());
            let answer = world.answers.send("POST /integrations", request).await;
            assert!(answer.status.is_client_error(), "{body}: {answer:?}");
        }
    }
}

/// Google's consent: refused, failing, and given.
async fn consent(world: &World) {
    for unavailable in [4, 0] {
        let (state, challenge) = begin(world).await;
        let code = world.secrets.make("authorization code", "4/0A");
        let refresh_token = world.secrets.make("refresh token", "1//");
        world.google.oauth().consent(
            &code,
            UserConsent {
                account: account(),
                code_challenge: challenge,
                scopes: SCOPES.join(" "),
                refresh_token: Some(refresh_token),
            },
        );
        let answer = come_back(world, &format!("{state}x"), &code).await;
        assert!(!answer.status.is_success(), "{answer:?}");
        world.google.oauth().fail_next(unavailable);
        let answer = come_back(world, &state, &code).await;
        let is_connected = answer.body["status"] == "connected";
        assert_eq!(is_connected, unavailable == 0, "{answer:?}");
        world.google.oauth().fail_next(0);
    }
    for verifier in world.google.oauth().code_verifiers() {
        world.secrets.learn("PKCE verifier", &verifier);
    }
}

/// State and challenge of a consent.
async fn begin(world: &World) -> (String, String) {
    let request = world
        .client
        .request(Method::POST, "/integrations/google/auth");
    let place = "POST /integrations/google/auth";
    let answer = world.answers.send(place, request.json(&json!({}))).await;
    let url = answer.body["authorizationUrl"]
        .as_str()
        .expect("no address");
    let url = Url::parse(url).unwrap();
    let parameter = |name: &str| {
        let mut pairs = url.query_pairs();
        let found = pairs.find(|(found, _)| found == name);
        found.unwrap().1.into_owned()
    };
    let state = parameter("state");
    world.secrets.learn("state", &state);
    (state, parameter("code_challenge"))
}

/// The browser comes back from Google and is sent on to the page, which hands in what is in its
/// address: in wrong fields first.
async fn come_back(world: &World, state: &str, code: &str) -> Answer {
    let http = reqwest::Client::builder().no_proxy();
    let http = http.redirect(redirect::Policy::none()).build().unwrap();
    let path = "/integrations/google/callback";
    let url = format!("{}/api/v1{path}", world.harness.endpoints().api_url);
    for query in [
        vec![("state", code), ("codes", state)],
        vec![("state", state), ("code", code)],
    ] {
        let request = http.get(&url).query(&query);
        let answer = world.answers.send(&format!("GET {path}"), request).await;
        let page = answer.location.unwrap();
        let (address, _) = page.split_once('#').unwrap();
        assert!(
            !address.contains(code) && !address.contains(state),
            "{address}"
        );
    }
    let bodies = [
        json!({ "state": { code: state } }),
        json!({ "state": state, code: state }),
        json!({ "status": code }),
        json!([state, code]),
    ];
    let hand_in = async |body: &Value| {
        let request = world.client.request(Method::POST, path).json(body);
        world.answers.send(&format!("POST {path}"), request).await
    };
    for body in bodies {
        let answer = hand_in(&body).await;
        assert!(answer.status.is_client_error(), "{answer:?}");
    }
    hand_in(&json!({ "state": state, "code": code })).await
}
