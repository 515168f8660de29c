//! A consent is finished by who has begun it, once, and by nobody else.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use shared::{
    ids::Uid,
    models::{AuditAction, IntegrationStatus, Role, SubscriptionTier},
    store::{organizations, users},
};

use super::{
    ALL, CALLBACK, TestApp, agree, agree_to, begin, come_back, connect_google, finish, finish_with,
    integrations, only, org_id, outcome, parameters,
};
use crate::matrix::visible;

/// How often a race is run.
const ROUNDS: usize = 100;

const CALENDAR: &str = "openid https://www.googleapis.com/auth/userinfo.email \
    https://www.googleapis.com/auth/calendar";

#[tokio::test]
async fn consent_connects_the_account_and_is_recorded() {
    let (app, google) = TestApp::with_google().await;
    connect_google(&app, &google, "stranger").await;
    let integration = only(&app);
    assert_eq!(integration.org_id, org_id("o2"));
    assert_eq!(integration.owner_uid.as_str(), "stranger");
    assert_eq!(integration.account_label, "a…@example.com");
    assert_eq!(integration.granted_scopes.len(), 7);
    assert_eq!(integration.status, IntegrationStatus::Connected);
    let deeds = app.deeds(&org_id("o2"));
    let expected = (AuditAction::IntegrationConnect, "stranger".to_owned(), None);
    assert_eq!(deeds, [expected]);
    assert_eq!((app.db.count("oauth_states"), google.exchanges()), (0, 1));
    let everything = format!("{:?}", app.db.commits());
    for secret in ["exchanged-1", "refresh-1", "code-1"] {
        assert!(!everything.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn what_comes_from_google_is_handed_to_the_page_and_changes_nothing() {
    let (app, google) = TestApp::with_google().await;
    let asked = begin(&app, "stranger").await;
    agree(&google, "code-1", &asked);
    let before = app.db.commits().len();
    // Not even a database is needed.
    app.db.fail_all(true);
    let query = format!("iss=x&code=code-1&scope=openid&state={}", asked["state"]);
    let brought = json!(come_back(&app, &query).await);
    let expected = json!({ "code": "code-1", "state": asked["state"] });
    assert_eq!(brought, expected);
    let repeated = come_back(&app, &format!("{query}&code=code-2")).await;
    assert_eq!(json!(repeated), json!({ "error": "invalid_state" }));
    app.db.fail_all(false);
    assert_eq!((app.db.commits().len(), google.exchanges()), (before, 0));
    let answer = app.post("stranger", CALLBACK, &brought).await;
    assert_eq!(outcome(&answer), "connected");
}

#[tokio::test]
async fn a_state_that_is_none_connects_nothing() {
    let (app, google) = TestApp::with_google().await;
    let asked = begin(&app, "stranger").await;
    agree(&google, "code-1", &asked);
    let state = &asked["state"];
    for body in [
        json!({ "code": "code-1" }),
        json!({ "code": "code-1", "state": null }),
        json!({ "code": "code-1", "state": "" }),
        json!({ "code": "code-1", "state": "0000" }),
        json!({ "code": "code-1", "state": state.to_uppercase() }),
        json!({ "code": "code-1", "state": &state[1..] }),
    ] {
        let answer = app.post("stranger", CALLBACK, &body).await;
        assert_eq!(answer.refusal(), (400, "invalid_argument"), "{body}");
        assert_eq!(answer.fields(), ["state"], "{body}");
        assert_eq!(outcome(&answer), "invalid_state", "{body}");
    }
    assert_eq!((integrations(&app).len(), google.exchanges()), (0, 0));
}

#[tokio::test]
async fn a_state_is_good_once() {
    let (app, google) = TestApp::with_google().await;
    let asked = begin(&app, "stranger").await;
    agree(&google, "code-1", &asked);
    let first = finish_with(&app, "stranger", "code-1", &asked).await;
    assert_eq!(outcome(&first), "connected");
    agree(&google, "code-2", &asked);
    let second = finish_with(&app, "stranger", "code-2", &asked).await;
    assert_eq!(outcome(&second), "invalid_state");
    assert_eq!(google.exchanges(), 1);
}

#[tokio::test]
async fn a_state_ends_after_ten_minutes() {
    let (app, google) = TestApp::with_google().await;
    for (seconds, expected) in [(599, "connected"), (600, "expired")] {
        let asked = begin(&app, "stranger").await;
        agree(&google, "code-1", &asked);
        app.clock.advance(Duration::from_secs(seconds));
        let answer = finish_with(&app, "stranger", "code-1", &asked).await;
        assert_eq!(outcome(&answer), expected);
        if seconds == 600 {
            assert_eq!(answer.refusal(), (400, "invalid_argument"));
            assert_eq!(answer.fields(), ["state"]);
        }
    }
    assert_eq!(google.exchanges(), 1);
}

#[tokio::test]
async fn a_victim_who_finishes_the_consent_of_somebody_else_connects_nothing() {
    let (app, google) = TestApp::with_google().await;
    super::add_colleague(&app).await;
    app.add_user("victim", "o3", Role::Admin).await;
    let write = crate::seeds::organization("o3", SubscriptionTier::Pro);
    app.store.commit(vec![write]).await.unwrap();
    let asked = begin(&app, "stranger").await;
    // It is the victim who agrees, in its own browser.
    agree(&google, "code-1", &asked);
    let before = app.db.commits().len();
    for victim in ["colleague", "victim", "user"] {
        let foreign = finish_with(&app, victim, "code-1", &asked).await;
        assert_eq!(outcome(&foreign), "invalid_state", "{victim}");
        let unknown = finish(&app, victim, "code=code-1&state=unknown").await;
        assert_eq!(visible(&foreign), visible(&unknown), "{victim}");
        let denied = format!("error=access_denied&state={}", asked["state"]);
        let denied = finish(&app, victim, &denied).await;
        assert_eq!(visible(&denied), visible(&unknown), "{victim}");
    }
    assert_eq!((app.db.commits().len(), google.exchanges()), (before, 0));
    // Nor is it used up.
    let own = finish_with(&app, "stranger", "code-1", &asked).await;
    assert_eq!(outcome(&own), "connected");
    assert_eq!(only(&app).org_id, org_id("o2"));
}

#[tokio::test]
async fn the_code_of_another_consent_is_refused() {
    let (app, google) = TestApp::with_google().await;
    super::add_colleague(&app).await;
    let own = begin(&app, "stranger").await;
    let other = begin(&app, "colleague").await;
    agree(&google, "code-1", &own);
    let swapped = finish_with(&app, "colleague", "code-1", &other).await;
    let wrong = begin(&app, "stranger").await;
    let wrong = finish_with(&app, "stranger", "made-up", &wrong).await;
    for answer in [swapped, wrong] {
        assert_eq!(answer.refusal(), (400, "invalid_argument"));
        assert_eq!(answer.fields(), ["code"]);
        assert_eq!(outcome(&answer), "invalid_code");
    }
    assert!(integrations(&app).is_empty());
}

#[tokio::test]
async fn a_code_or_an_error_has_to_be_there_and_not_both() {
    let (app, google) = TestApp::with_google().await;
    let asked = begin(&app, "stranger").await;
    agree(&google, "code-1", &asked);
    let state = &asked["state"];
    for body in [
        json!({ "state": state }),
        json!({ "state": state, "code": "code-1", "error": "access_denied" }),
    ] {
        let answer = app.post("stranger", CALLBACK, &body).await;
        assert_eq!(outcome(&answer), "invalid_code");
        assert_eq!(answer.fields(), ["code"]);
    }
    let answer = finish_with(&app, "stranger", "code-1", &asked).await;
    assert_eq!(outcome(&answer), "connected", "the state was not used up");
}

#[tokio::test]
async fn who_may_not_connect_any_more_connects_nothing() {
    type Change = fn(&mut shared::models::User);
    let changes: [(Change, &str); 3] = [
        (|user| user.organization_id = org_id("o1"), "invalid_state"),
        (|user| user.role = Role::Viewer, "permission_denied"),
        (|user| user.disabled = true, "permission_denied"),
    ];
    for (change, expected) in changes {
        let (app, google) = TestApp::with_google().await;
        let asked = begin(&app, "stranger").await;
        agree(&google, "code-1", &asked);
        let uid = Uid::parse("stranger").unwrap();
        let mut user = app.store.find_user(&uid).await.unwrap().unwrap();
        change(&mut user.value);
        let write = users::set_membership(&user).unwrap();
        app.store.commit(vec![write]).await.unwrap();
        let answer = finish_with(&app, "stranger", "code-1", &asked).await;
        assert_eq!(outcome(&answer), expected);
        assert_eq!((integrations(&app).len(), google.exchanges()), (0, 0));
    }
}

#[tokio::test]
async fn an_organization_that_has_lost_its_tier_connects_nothing() {
    let (app, google) = TestApp::with_google().await;
    let asked = begin(&app, "stranger").await;
    agree(&google, "code-1", &asked);
    let found = app.store.find_organization(&org_id("o2")).await;
    let mut organization = found.unwrap().unwrap();
    organization.value.subscription_tier = SubscriptionTier::Free;
    let write = organizations::replace(&organization).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    let answer = finish_with(&app, "stranger", "code-1", &asked).await;
    assert_eq!(answer.refusal(), (400, "failed_precondition"));
    assert_eq!((integrations(&app).len(), google.exchanges()), (0, 0));
}

#[tokio::test]
async fn a_user_who_denies_is_told_and_the_state_is_used_up() {
    let (app, google) = TestApp::with_google().await;
    let asked = begin(&app, "stranger").await;
    let query = format!("error=access_denied&state={}", asked["state"]);
    let answer = finish(&app, "stranger", &query).await;
    assert_eq!(answer.refusal(), (400, "failed_precondition"));
    assert_eq!(outcome(&answer), "access_denied");
    agree(&google, "code-1", &asked);
    let answer = finish_with(&app, "stranger", "code-1", &asked).await;
    assert_eq!(outcome(&answer), "invalid_state");
}

#[tokio::test]
async fn no_answer_repeats_what_was_handed_in() {
    let (app, _) = TestApp::with_google().await;
    let asked = begin(&app, "stranger").await;
    let long = "canary".repeat(400);
    let bodies: [(Value, &str); 6] = [
        (json!({ "state": "canary", "code": "canary" }), "state"),
        (json!({ "state": long, "code": "c" }), "state"),
        (json!({ "state": "s", "code": long }), "code"),
        (json!({ "state": "s", "error": long }), "error"),
        (json!({ "state": ["canary"], "code": "c" }), "state"),
        (
            json!({ "state": asked["state"], "error": "canary" }),
            "code",
        ),
    ];
    for (body, field) in bodies {
        let answer = app.post("stranger", CALLBACK, &body).await;
        assert_eq!(answer.refusal(), (400, "invalid_argument"));
        assert_eq!(answer.fields(), [field], "{body}");
        assert!(
            !answer.body.to_string().contains("canary"),
            "{}",
            answer.body
        );
    }
}

#[tokio::test]
async fn what_was_unticked_is_named() {
    let (app, google) = TestApp::with_google().await;
    let asked = begin(&app, "stranger").await;
    let spreadsheets = " https://www.googleapis.com/auth/spreadsheets";
    let granted = ALL.replace(spreadsheets, "");
    agree_to(&google, "code-1", &asked, &granted, Some("refresh-1"));
    let answer = finish_with(&app, "stranger", "code-1", &asked).await;
    assert_eq!(outcome(&answer), "connected");
    assert_eq!(answer.body["missing"], json!([spreadsheets.trim()]));
    let listed = app.get("stranger", "/integrations").await;
    let missing = &listed.body["items"][0]["missingScopes"];
    assert_eq!(missing.as_array().unwrap(), &[spreadsheets.trim()]);
}

#[tokio::test]
async fn a_consent_to_nothing_connects_nothing() {
    let (app, google) = TestApp::with_google().await;
    let asked = begin(&app, "stranger").await;
    let identity = "openid https://www.googleapis.com/auth/userinfo.email";
    agree_to(&google, "code-1", &asked, identity, Some("refresh-1"));
    let answer = finish_with(&app, "stranger", "code-1", &asked).await;
    assert_eq!(answer.refusal(), (400, "failed_precondition"));
    assert_eq!(outcome(&answer), "nothing_granted");
    assert!(integrations(&app).is_empty());
}

#[tokio::test]
async fn without_a_new_refresh_token_the_stored_one_of_the_account_is_kept() {
    let (app, google) = TestApp::with_google().await;
    connect_google(&app, &google, "stranger").await;
    let before = only(&app);
    let asked = begin(&app, "stranger").await;
    agree_to(&google, "code-2", &asked, CALENDAR, None);
    let answer = finish_with(&app, "stranger", "code-2", &asked).await;
    assert_eq!(outcome(&answer), "connected");
    let after = only(&app);
    assert_eq!(after.id, before.id);
    assert_ne!(after.credentials, before.credentials);
    assert_eq!(app.audited().last().unwrap(), "INTEGRATION_RECONNECT");
    // The kept token is good: it is what is revoked in the end.
    app.delete("stranger", &super::path(&after.id)).await;
    assert_eq!(app.service.revoked(), ["refresh-1"]);
}

#[tokio::test]
async fn without_any_refresh_token_the_user_is_asked_once_more_and_not_for_ever() {
    let (app, google) = TestApp::with_google().await;
    connect_google(&app, &google, "stranger").await;
    // Another account than the one that the incremental consent was meant for.
    let id = only(&app).id;
    let sheets = "https://www.googleapis.com/auth/spreadsheets";
    let mut found = app
        .store
        .find_integration(&org_id("o2"), &id)
        .await
        .unwrap()
        .unwrap();
    found.value.granted_scopes.retain(|scope| scope != sheets);
    let writes = shared::store::integrations::replace(&found).unwrap();
    app.store.commit(writes.into()).await.unwrap();
    let asked = begin(&app, "stranger").await;
    assert!(!asked.contains_key("prompt"));
    let other = |code: &str, challenge: &str| {
        let consent = shared::testing::UserConsent {
            account: shared::connectors::Account {
                id: Some("sub-2".to_owned()),
                ..super::google_account()
            },
            code_challenge: challenge.to_owned(),
            scopes: CALENDAR.to_owned(),
            refresh_token: None,
        };
        google.consent(code, consent);
    };
    other("code-2", &asked["code_challenge"]);
    let answer = finish_with(&app, "stranger", "code-2", &asked).await;
    assert_eq!(outcome(&answer), "consent_required");
    let again = parameters(answer.body["authorizationUrl"].as_str().unwrap());
    assert_eq!(again["prompt"], "consent");
    assert_eq!(integrations(&app).len(), 1);
    other("code-3", &again["code_challenge"]);
    let answer = finish_with(&app, "stranger", "code-3", &again).await;
    assert_eq!(answer.refusal(), (400, "failed_precondition"));
    assert_eq!(outcome(&answer), "no_refresh_token");
    assert_eq!(integrations(&app).len(), 1);
}

#[tokio::test]
async fn callbacks_in_parallel_make_one_integration() {
    for round in 0..ROUNDS {
        let (app, google) = TestApp::with_google().await;
        let asked = begin(&app, "stranger").await;
        agree(&google, "code-1", &asked);
        let finish = |_| finish_with(&app, "stranger", "code-1", &asked);
        let answers = join_all((0..2 + round % 3).map(finish)).await;
        // The state decides, not that Google takes a code once.
        let mut outcomes: Vec<&str> = answers.iter().map(outcome).collect();
        outcomes.sort_unstable();
        assert_eq!(outcomes.remove(0), "connected");
        assert!(outcomes.iter().all(|other| *other == "invalid_state"));
        assert_eq!((integrations(&app).len(), google.exchanges()), (1, 1));
    }
}

#[tokio::test]
async fn two_consents_to_one_account_in_parallel_make_one_integration() {
    for _ in 0..ROUNDS {
        let (app, google) = TestApp::with_google().await;
        let tabs = [begin(&app, "stranger").await, begin(&app, "stranger").await];
        for (tab, asked) in tabs.iter().enumerate() {
            agree(&google, &format!("code-{tab}"), asked);
        }
        let [one, two] = &tabs;
        let answers = [
            finish_with(&app, "stranger", "code-0", one),
            finish_with(&app, "stranger", "code-1", two),
        ];
        for answer in join_all(answers).await {
            assert_eq!(outcome(&answer), "connected");
        }
        assert_eq!(integrations(&app).len(), 1);
        let deeds = app.audited();
        assert_eq!(deeds, ["INTEGRATION_CONNECT", "INTEGRATION_RECONNECT"]);
    }
}

#[tokio::test]
async fn google_that_fails_is_told() {
    let (app, google) = TestApp::with_google().await;
    let asked = begin(&app, "stranger").await;
    agree(&google, "code-1", &asked);
    google.fail_next(1);
    let answer = finish_with(&app, "stranger", "code-1", &asked).await;
    assert_eq!(answer.refusal(), (503, "unavailable"));
    assert!(integrations(&app).is_empty());
}
