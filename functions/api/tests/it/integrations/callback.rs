//! What comes back from Google is believed only through its state.

use std::time::Duration;

use futures::future::join_all;
use shared::{
    ids::Uid,
    models::{AuditAction, IntegrationStatus, Role},
    store::users,
};

use super::{
    ALL, TestApp, agree, agree_to, begin, come_back, connect_google, integrations, only, org_id,
    page, parameters,
};

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
async fn a_state_that_is_none_connects_nothing() {
    let (app, google) = TestApp::with_google().await;
    let asked = begin(&app, "stranger").await;
    agree(&google, "code-1", &asked);
    let state = &asked["state"];
    for query in [
        "",
        "code=code-1",
        "code=code-1&state=",
        "code=code-1&state=0000",
        &format!("code=code-1&state={}", state.to_uppercase()),
        &format!("code=code-1&state={}", &state[1..]),
    ] {
        assert_eq!(
            come_back(&app, query).await,
            page("error=invalid_state"),
            "{query}"
        );
    }
    assert_eq!((integrations(&app).len(), google.exchanges()), (0, 0));
}

#[tokio::test]
async fn a_state_is_good_once() {
    let (app, google) = TestApp::with_google().await;
    let asked = begin(&app, "stranger").await;
    agree(&google, "code-1", &asked);
    let query = format!("code=code-1&state={}", asked["state"]);
    assert_eq!(come_back(&app, &query).await, page("status=connected"));
    agree(&google, "code-2", &asked);
    let query = format!("code=code-2&state={}", asked["state"]);
    assert_eq!(come_back(&app, &query).await, page("error=invalid_state"));
    assert_eq!(google.exchanges(), 1);
}

#[tokio::test]
async fn a_state_ends_after_ten_minutes() {
    let (app, google) = TestApp::with_google().await;
    for (seconds, expected) in [(599, "status=connected"), (600, "error=expired")] {
        let asked = begin(&app, "stranger").await;
        agree(&google, "code-1", &asked);
        app.clock.advance(Duration::from_secs(seconds));
        let query = format!("code=code-1&state={}", asked["state"]);
        assert_eq!(come_back(&app, &query).await, page(expected));
    }
    assert_eq!(google.exchanges(), 1);
}

#[tokio::test]
async fn the_code_of_another_user_is_refused() {
    let (app, google) = TestApp::with_google().await;
    super::add_colleague(&app).await;
    let own = begin(&app, "stranger").await;
    let other = begin(&app, "colleague").await;
    agree(&google, "code-1", &own);
    let query = format!("code=code-1&state={}", other["state"]);
    assert_eq!(come_back(&app, &query).await, page("error=invalid_code"));
    assert!(integrations(&app).is_empty());
    let wrong = begin(&app, "stranger").await;
    let query = format!("code=made-up&state={}", wrong["state"]);
    assert_eq!(come_back(&app, &query).await, page("error=invalid_code"));
    let query = format!("state={}", own["state"]);
    assert_eq!(
        come_back(&app, &query).await,
        page("error=invalid_code"),
        "no code"
    );
}

#[tokio::test]
async fn who_may_not_connect_any_more_connects_nothing() {
    let changes: [fn(&mut shared::models::User); 3] = [
        |user| user.organization_id = org_id("o1"),
        |user| user.role = Role::Viewer,
        |user| user.disabled = true,
    ];
    for change in changes {
        let (app, google) = TestApp::with_google().await;
        let asked = begin(&app, "stranger").await;
        agree(&google, "code-1", &asked);
        let uid = Uid::parse("stranger").unwrap();
        let mut user = app.store.find_user(&uid).await.unwrap().unwrap();
        change(&mut user.value);
        let write = users::set_membership(&user).unwrap();
        app.store.commit(vec![write]).await.unwrap();
        let query = format!("code=code-1&state={}", asked["state"]);
        assert_eq!(come_back(&app, &query).await, page("error=not_allowed"));
        assert_eq!((integrations(&app).len(), google.exchanges()), (0, 0));
    }
}

#[tokio::test]
async fn a_user_who_denies_is_told_and_the_state_is_used_up() {
    let (app, google) = TestApp::with_google().await;
    let asked = begin(&app, "stranger").await;
    let query = format!("error=access_denied&state={}", asked["state"]);
    assert_eq!(come_back(&app, &query).await, page("error=access_denied"));
    agree(&google, "code-1", &asked);
    let query = format!("code=code-1&state={}", asked["state"]);
    assert_eq!(come_back(&app, &query).await, page("error=invalid_state"));
}

#[tokio::test]
async fn no_text_of_the_query_comes_into_the_address() {
    let (app, _) = TestApp::with_google().await;
    let asked = begin(&app, "stranger").await;
    let query = format!("error=%0d%0aSet-Cookie:x&state={}", asked["state"]);
    assert_eq!(come_back(&app, &query).await, page("error=invalid_code"));
}

#[tokio::test]
async fn what_was_unticked_is_named() {
    let (app, google) = TestApp::with_google().await;
    let asked = begin(&app, "stranger").await;
    let spreadsheets = " https://www.googleapis.com/auth/spreadsheets";
    let granted = ALL.replace(spreadsheets, "");
    agree_to(&google, "code-1", &asked, &granted, Some("refresh-1"));
    let query = format!("code=code-1&state={}", asked["state"]);
    let next = come_back(&app, &query).await;
    let missing = "https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fspreadsheets";
    assert_eq!(next, page(&format!("status=connected&missing={missing}")));
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
    let query = format!("code=code-1&state={}", asked["state"]);
    assert_eq!(come_back(&app, &query).await, page("error=nothing_granted"));
    assert!(integrations(&app).is_empty());
}

#[tokio::test]
async fn without_a_new_refresh_token_the_stored_one_of_the_account_is_kept() {
    let (app, google) = TestApp::with_google().await;
    connect_google(&app, &google, "stranger").await;
    let before = only(&app);
    let asked = begin(&app, "stranger").await;
    agree_to(&google, "code-2", &asked, CALENDAR, None);
    let query = format!("code=code-2&state={}", asked["state"]);
    let next = come_back(&app, &query).await;
    assert!(next.starts_with(&page("status=connected")), "{next}");
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
    let next = come_back(&app, &format!("code=code-2&state={}", asked["state"])).await;
    let again = parameters(&next);
    assert_eq!(again["prompt"], "consent");
    assert_eq!(integrations(&app).len(), 1);
    other("code-3", &again["code_challenge"]);
    let next = come_back(&app, &format!("code=code-3&state={}", again["state"])).await;
    assert_eq!(next, page("error=no_refresh_token"));
    assert_eq!(integrations(&app).len(), 1);
}

#[tokio::test]
async fn callbacks_in_parallel_make_one_integration() {
    for round in 0..ROUNDS {
        let (app, google) = TestApp::with_google().await;
        let asked = begin(&app, "stranger").await;
        agree(&google, "code-1", &asked);
        let query = format!("code=code-1&state={}", asked["state"]);
        let callbacks = (0..2 + round % 3).map(|_| come_back(&app, &query));
        // The state decides, not that Google takes a code once.
        let mut next = join_all(callbacks).await;
        next.sort_unstable();
        assert_eq!(next.pop().unwrap(), page("status=connected"));
        assert!(
            next.iter().all(|next| *next == page("error=invalid_state")),
            "{next:?}"
        );
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
        let callbacks = tabs.iter().enumerate().map(|(tab, asked)| {
            let (app, state) = (&app, &asked["state"]);
            async move { come_back(app, &format!("code=code-{tab}&state={state}")).await }
        });
        for next in join_all(callbacks).await {
            assert_eq!(next, page("status=connected"));
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
    let query = format!("code=code-1&state={}", asked["state"]);
    assert_eq!(come_back(&app, &query).await, page("error=unavailable"));
    assert!(integrations(&app).is_empty());
}
