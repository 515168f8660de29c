use std::collections::HashMap;

use serde_json::{Value, json};
use shared::ids::fingerprint;
use url::Url;

use crate::app::{TestApp, empty, request};

const PATH: &str = "/integrations/google/auth";
const CLIENT: [(&str, &str); 2] = [
    ("GOOGLE_OAUTH_CLIENT_ID", "client-1"),
    (
        "GOOGLE_OAUTH_REDIRECT_URL",
        "https://app.example.com/callback",
    ),
];

fn parameters(body: &Value) -> HashMap<String, String> {
    let url = Url::parse(body["authorizationUrl"].as_str().unwrap()).unwrap();
    assert_eq!(
        (url.host_str(), url.path()),
        (Some("accounts.google.com"), "/o/oauth2/v2/auth")
    );
    url.query_pairs().into_owned().collect()
}

#[tokio::test]
async fn consent_is_asked_for_offline_with_a_challenge() {
    let app = TestApp::with_env(CLIENT).await;
    let answer = app.post("stranger", PATH, &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let parameters = parameters(&answer.body);
    let expected = [
        ("client_id", "client-1"),
        ("redirect_uri", "https://app.example.com/callback"),
        ("response_type", "code"),
        ("access_type", "offline"),
        ("prompt", "consent"),
        ("include_granted_scopes", "true"),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in expected {
        assert_eq!(parameters[name], value, "{name}");
    }
    assert_eq!(parameters["scope"].split(' ').count(), 7);
    assert_eq!(parameters["code_challenge"].len(), 43);
    assert!(parameters["state"].len() >= 32, "128 bits in hexadecimal");
    assert_eq!(answer.body["expiresAt"], "2026-11-23T12:10:00Z");
}

#[tokio::test]
async fn the_state_is_kept_as_a_hash_bound_to_the_caller() {
    let app = TestApp::with_env(CLIENT).await;
    let answer = app
        .post("stranger", PATH, &json!({ "features": ["calendar"] }))
        .await;
    let state = &parameters(&answer.body)["state"];
    let documents = app.db.documents("oauth_states/");
    assert_eq!(documents.len(), 1);
    assert_eq!(documents[0].path.id(), fingerprint(&["oauth_state", state]));
    let record: Value = shared::store::decode(&documents[0]).unwrap();
    assert_eq!(
        (&record["orgId"], &record["uid"]),
        (&json!("o2"), &json!("stranger"))
    );
    assert_eq!(record["expiresAt"], "2026-11-23T12:10:00Z");
    assert_eq!(record["scopes"].as_array().unwrap().len(), 3);
    let everything = format!("{:?}", app.db.commits());
    assert!(!everything.contains(state.as_str()));
    let verifier = record["codeVerifier"].as_str().unwrap();
    assert!(!answer.body.to_string().contains(verifier));
}

#[tokio::test]
async fn each_call_has_a_state_of_its_own() {
    let app = TestApp::with_env(CLIENT).await;
    let bare = app
        .send(empty(request(http::Method::POST, PATH, "stranger")))
        .await;
    let other = app.post("stranger", PATH, &json!({})).await;
    let [one, two] = [bare, other].map(|answer| parameters(&answer.body));
    assert_ne!(one["state"], two["state"]);
    assert_ne!(one["code_challenge"], two["code_challenge"]);
}

#[tokio::test]
async fn workspace_needs_the_pro_tier() {
    let app = TestApp::with_env(CLIENT).await;
    let answer = app.post("admin", PATH, &json!({})).await;
    assert_eq!(answer.refusal(), (400, "failed_precondition"));
    assert_eq!(app.db.count("oauth_states"), 0);
}

#[tokio::test]
async fn without_a_client_the_application_says_so() {
    let app = TestApp::new().await;
    let answer = app.post("stranger", PATH, &json!({})).await;
    assert_eq!(answer.refusal(), (400, "failed_precondition"));
    let message = answer.body["error"]["message"].as_str().unwrap();
    assert_eq!(message, "Google sign-in is not configured");
}

#[tokio::test]
async fn features_that_are_none_are_refused() {
    let app = TestApp::with_env(CLIENT).await;
    for features in [json!([]), json!(["youtube"]), json!("gmail"), json!([1])] {
        let answer = app
            .post("stranger", PATH, &json!({ "features": features }))
            .await;
        assert_eq!(answer.refusal(), (400, "invalid_argument"), "{features}");
    }
}
