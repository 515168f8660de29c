use std::time::Duration;

use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use shared::{
    connectors::{Connectors, Credentials, Error, GithubApp, Revocation},
    models::IntegrationService::Github,
    testing::FixedClock,
};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

use super::{
    super::{
        fake::{answer, calls, ok},
        vendors::{NOW, PRIVATE_KEY, connect_at, github_app, perform},
    },
    input, issue,
};
use crate::contract::{check_github, github_example};

const TOKENS: &str = "/app/installations/42/access_tokens";
const ISSUES: &str = "/repos/octocat/hello/issues";

/// A token that ends an hour from [`NOW`].
fn token() -> Value {
    let mut token = github_example("token");
    token["expires_at"] = json!("2026-11-23T23:00:00Z");
    check_github("InstallationToken", &token).unwrap();
    token
}

async fn server() -> MockServer {
    let server = MockServer::start().await;
    let created = ResponseTemplate::new(201).set_body_json(token());
    answer(&server, "POST", TOKENS, created).await;
    answer(&server, "GET", ISSUES, ok(&json!([issue(1)]))).await;
    answer(
        &server,
        "DELETE",
        "/installation/token",
        ResponseTemplate::new(204),
    )
    .await;
    server
}

async fn list(connectors: &Connectors, app: &Credentials) -> Result<Value, Error> {
    perform(connectors, app, "github.issues.list", &input(json!({}))).await
}

async fn tokens_made(server: &MockServer) -> usize {
    let calls = calls(server).await;
    calls.iter().filter(|call| call.starts_with("POST")).count()
}

#[tokio::test]
async fn an_app_signs_for_ten_minutes_at_most_and_acts_by_the_token_of_its_installation() {
    let server = server().await;
    let connectors = connect_at(&server.uri(), &FixedClock::at(NOW));
    list(&connectors, &github_app()).await.unwrap();
    let sent = server.received_requests().await.unwrap();
    assert_eq!(sent[0].url.path(), TOKENS);
    let bearer = sent[0].headers["authorization"].to_str().unwrap();
    let jwt = bearer.strip_prefix("Bearer ").unwrap();
    let (signed, signature) = jwt.rsplit_once('.').unwrap();
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, PRIVATE_KEY.public_key())
        .verify(signed.as_bytes(), &signature)
        .unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let decode = |part| -> Value {
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    assert_eq!(decode(header), json!({ "typ": "JWT", "alg": "RS256" }));
    // 2026-11-23T22:00:00Z.
    let now = 1_795_471_200;
    let expected = json!({ "iat": now - 60, "exp": now + 540, "iss": "Iv1.app" });
    assert_eq!(decode(claims), expected);
    assert_eq!(sent[1].headers["authorization"], "Bearer made-up");
}

#[tokio::test]
async fn an_installation_is_told_with_its_account_and_app() {
    let server = server().await;
    let installation = github_example("installation");
    answer(&server, "GET", "/app/installations/42", ok(&installation)).await;
    let connectors = connect_at(&server.uri(), &FixedClock::at(NOW));
    let account = connectors
        .get(Github)
        .unwrap()
        .check(&github_app())
        .await
        .unwrap();
    let owner = &installation["account"];
    let slug = installation["app_slug"].as_str().unwrap();
    let label = format!("{} ({slug})", owner["login"].as_str().unwrap());
    assert_eq!(
        (account.label, account.id),
        (label, Some(owner["id"].to_string()))
    );
    assert_eq!(tokens_made(&server).await, 1);
}

#[tokio::test]
async fn an_installation_that_gets_no_token_is_not_connected() {
    let server = MockServer::start().await;
    let installation = github_example("installation");
    answer(&server, "GET", "/app/installations/42", ok(&installation)).await;
    answer(&server, "POST", TOKENS, ResponseTemplate::new(403)).await;
    let connectors = connect_at(&server.uri(), &FixedClock::at(NOW));
    let error = connectors
        .get(Github)
        .unwrap()
        .check(&github_app())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unauthorized), "{error:?}");
}

#[tokio::test]
async fn a_token_is_kept_until_five_minutes_before_its_end() {
    let server = server().await;
    let clock = FixedClock::at(NOW);
    let connectors = connect_at(&server.uri(), &clock);
    for (minutes, made) in [(0, 1), (0, 1), (54, 1), (1, 2)] {
        clock.advance(Duration::from_secs(minutes * 60));
        list(&connectors, &github_app()).await.unwrap();
        assert_eq!(tokens_made(&server).await, made, "{minutes}");
    }
}

#[tokio::test]
async fn who_knows_only_the_numbers_of_an_app_gets_no_token_of_its() {
    let server = server().await;
    let connectors = connect_at(&server.uri(), &FixedClock::at(NOW));
    list(&connectors, &github_app()).await.unwrap();
    let Credentials::GithubApp(app) = github_app() else {
        panic!("an app");
    };
    let thief = GithubApp {
        private_key: "no key".into(),
        ..app.clone()
    };
    let error = list(&connectors, &Credentials::GithubApp(thief))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unauthorized), "{error:?}");
    let other = GithubApp {
        installation_id: 43,
        ..app
    };
    let error = list(&connectors, &Credentials::GithubApp(other))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unauthorized), "{error:?}");
}

/// GitHub does not say that the key is bad, but nothing works until the owner has mended it: what
/// is `Rejected` or `Forbidden` would leave the integration connected and nobody told.
#[tokio::test]
async fn an_app_that_was_uninstalled_or_suspended_is_refused_as_a_bad_key_is() {
    for status in [403, 404] {
        let server = MockServer::start().await;
        answer(&server, "POST", TOKENS, ResponseTemplate::new(status)).await;
        let connectors = connect_at(&server.uri(), &FixedClock::at(NOW));
        let error = list(&connectors, &github_app()).await.unwrap_err();
        assert!(matches!(error, Error::Unauthorized), "{status}: {error:?}");
    }
}

#[tokio::test]
async fn a_rate_limit_of_new_tokens_is_no_matter_of_the_key() {
    let server = MockServer::start().await;
    let limited = ResponseTemplate::new(403).insert_header("retry-after", "7");
    answer(&server, "POST", TOKENS, limited).await;
    let connectors = connect_at(&server.uri(), &FixedClock::at(NOW));
    let error = list(&connectors, &github_app()).await.unwrap_err();
    assert!(matches!(error, Error::RateLimited { .. }), "{error:?}");
}

#[tokio::test]
async fn a_kept_token_that_was_revoked_is_replaced_once() {
    let server = MockServer::start().await;
    let created = ResponseTemplate::new(201).set_body_json(token());
    answer(&server, "POST", TOKENS, created).await;
    let good = Mock::given(matchers::path(ISSUES)).respond_with(ok(&json!([])));
    good.up_to_n_times(1).mount(&server).await;
    answer(&server, "GET", ISSUES, ResponseTemplate::new(401)).await;
    let connectors = connect_at(&server.uri(), &FixedClock::at(NOW));
    list(&connectors, &github_app()).await.unwrap();
    let error = list(&connectors, &github_app()).await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized), "{error:?}");
    let line = |line: &str| line.to_owned();
    let (token, issues) = (format!("POST {TOKENS}"), line(&format!("GET {ISSUES}")));
    let expected = [&token, &issues, &issues, &token, &issues];
    assert_eq!(calls(&server).await.iter().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_new_token_that_is_refused_is_not_replaced() {
    let server = MockServer::start().await;
    let created = ResponseTemplate::new(201).set_body_json(token());
    answer(&server, "POST", TOKENS, created).await;
    answer(&server, "GET", ISSUES, ResponseTemplate::new(401)).await;
    let connectors = connect_at(&server.uri(), &FixedClock::at(NOW));
    let error = list(&connectors, &github_app()).await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized), "{error:?}");
    assert_eq!(calls(&server).await.len(), 2);
}

#[tokio::test]
async fn revoking_ends_the_token_in_memory_and_not_the_apps_key() {
    let server = server().await;
    let connectors = connect_at(&server.uri(), &FixedClock::at(NOW));
    let github = connectors.get(Github).unwrap();
    let revoked = github.revoke(&github_app()).await.unwrap();
    assert_eq!(revoked, Revocation::NotPossible);
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
    list(&connectors, &github_app()).await.unwrap();
    let revoked = github.revoke(&github_app()).await.unwrap();
    assert_eq!(revoked, Revocation::NotPossible);
    let sent = server.received_requests().await.unwrap();
    let last = sent.last().unwrap();
    assert_eq!(
        (last.method.as_str(), last.url.path()),
        ("DELETE", "/installation/token")
    );
    assert_eq!(last.headers["authorization"], "Bearer made-up");
    list(&connectors, &github_app()).await.unwrap();
    assert_eq!(tokens_made(&server).await, 2);
}
