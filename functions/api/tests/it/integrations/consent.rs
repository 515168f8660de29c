use serde_json::{Value, json};
use shared::{
    ids::fingerprint,
    models::{Integration, IntegrationService},
    store::integrations,
};

use super::{AUTH, begin, connect_google, only, parameters};
use crate::{
    app::{TestApp, empty, request},
    seeds,
};

#[tokio::test]
async fn consent_is_asked_for_offline_with_a_challenge() {
    let (app, _) = TestApp::with_google().await;
    let answer = app.post("stranger", AUTH, &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let parameters = parameters(answer.body["authorizationUrl"].as_str().unwrap());
    let expected = [
        ("client_id", "client-1"),
        (
            "redirect_uri",
            "https://api.example.com/api/v1/integrations/google/callback",
        ),
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
    assert!(!parameters["scope"].contains("drive.readonly"));
    assert_eq!(parameters["code_challenge"].len(), 43);
    assert!(parameters["state"].len() >= 32, "128 bits in hexadecimal");
    assert_eq!(answer.body["expiresAt"], "2026-11-23T12:10:00Z");
}

#[tokio::test]
async fn the_state_is_kept_as_a_hash_bound_to_the_caller_without_a_verifier() {
    let (app, _) = TestApp::with_google().await;
    let asked = begin(&app, "stranger").await;
    let documents = app.db.documents("oauth_states/");
    assert_eq!(documents.len(), 1);
    let hash = fingerprint(&["oauth_state", &asked["state"]]);
    assert_eq!(documents[0].path.id(), hash);
    let record: Value = shared::store::decode(&documents[0]).unwrap();
    let mut names: Vec<_> = record
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .filter(|name| !name.starts_with('_'))
        .collect();
    names.sort_unstable();
    let expected = [
        "expiresAt",
        "isNewConsent",
        "orgId",
        "scopes",
        "service",
        "uid",
    ];
    assert_eq!(names, expected, "and no verifier");
    assert_eq!(
        (&record["orgId"], &record["uid"]),
        (&json!("o2"), &json!("stranger"))
    );
    assert_eq!(record["expiresAt"], "2026-11-23T12:10:00Z");
    let everything = format!("{:?}", app.db.commits());
    assert!(!everything.contains(asked["state"].as_str()));
}

#[tokio::test]
async fn each_call_has_a_state_of_its_own() {
    let (app, _) = TestApp::with_google().await;
    let bare = request(http::Method::POST, AUTH, "stranger");
    let bare = app.send(empty(bare)).await;
    let one = parameters(bare.body["authorizationUrl"].as_str().unwrap());
    let two = begin(&app, "stranger").await;
    assert_ne!(one["state"], two["state"]);
    assert_ne!(one["code_challenge"], two["code_challenge"]);
}

#[tokio::test]
async fn with_a_working_integration_only_what_is_missing_is_asked_for() {
    let (app, google) = TestApp::with_google().await;
    connect_google(&app, &google, "stranger").await;
    let sheets = "https://www.googleapis.com/auth/spreadsheets";
    let integration = only(&app);
    let found = app
        .store
        .find_integration(&integration.org_id, &integration.id)
        .await;
    let mut found = found.unwrap().unwrap();
    found.value.granted_scopes.retain(|scope| scope != sheets);
    let writes = integrations::replace(&found).unwrap();
    app.store.commit(writes.into()).await.unwrap();

    let asked = begin(&app, "stranger").await;
    assert_eq!(asked["scope"], format!("{sheets} openid email"));
    assert!(!asked.contains_key("prompt"), "a refresh token is held");
    // Who has connected nothing is asked for everything.
    super::add_colleague(&app).await;
    let asked = begin(&app, "colleague").await;
    assert_eq!(asked["scope"].split(' ').count(), 7);
    assert_eq!(asked["prompt"], "consent");
}

#[tokio::test]
async fn a_broken_integration_is_consented_to_anew() {
    let (app, _) = TestApp::with_google().await;
    let broken = Integration {
        org_id: super::org_id("o2"),
        service: IntegrationService::Google,
        status: shared::models::IntegrationStatus::Error,
        granted_scopes: vec!["https://www.googleapis.com/auth/calendar".to_owned()],
        ..seeds::integration_model("g1", "stranger")
    };
    let writes = integrations::create(&broken).unwrap();
    app.store.commit(writes.into()).await.unwrap();
    let asked = begin(&app, "stranger").await;
    assert_eq!(
        (asked["scope"].split(' ').count(), asked["prompt"].as_str()),
        (7, "consent")
    );
}

#[tokio::test]
async fn workspace_needs_the_pro_tier() {
    let (app, _) = TestApp::with_google().await;
    let answer = app.post("admin", AUTH, &json!({})).await;
    assert_eq!(answer.refusal(), (400, "failed_precondition"));
    assert_eq!(app.db.count("oauth_states"), 0);
}

#[tokio::test]
async fn without_a_client_the_application_says_so() {
    let app = TestApp::new().await;
    let answer = app.post("stranger", AUTH, &json!({})).await;
    assert_eq!(answer.refusal(), (400, "failed_precondition"));
    let message = answer.body["error"]["message"].as_str().unwrap();
    assert_eq!(message, "Google sign-in is not configured");
}

#[tokio::test]
async fn features_that_are_none_are_refused() {
    let (app, _) = TestApp::with_google().await;
    for features in [json!([]), json!(["youtube"]), json!("gmail"), json!([1])] {
        let answer = app
            .post("stranger", AUTH, &json!({ "features": features }))
            .await;
        assert_eq!(answer.refusal(), (400, "invalid_argument"), "{features}");
    }
}
