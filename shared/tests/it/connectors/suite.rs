//! What holds for every adapter.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use shared::{
    actions::{self, Action, FieldKind},
    config::{self, Env},
    connectors::{Connectors, Credentials, Error, Request, Revocation},
    http::client,
    models::IntegrationService,
    testing::{FixedClock, GOOGLE_CLIENT},
};
use wiremock::{MockServer, ResponseTemplate};

use super::{
    fake::{answer, ok, server},
    vendors::{NOW, Vendor, connect, github_app, perform, twilio_account, vendors},
};
use crate::contract::{
    check_github, check_openai, check_stripe, check_twilio, github_example, stripe_fixture,
};

/// After all else.
const LATER: &str = "2026-11-24T22:00:00Z";

/// The services, and each kind of credentials of those that take two.
fn all_credentials() -> Vec<Vendor> {
    let mut all = vendors();
    let second = [
        (IntegrationService::Github, github_app()),
        (
            IntegrationService::Twilio,
            twilio_account("SK0123456789abcdef0123456789abcdef"),
        ),
    ];
    for (service, credentials) in second {
        let mut vendor = all
            .iter()
            .find(|vendor| vendor.service == service)
            .unwrap()
            .clone();
        vendor.credentials = credentials;
        all.push(vendor);
    }
    all
}

/// Each service's own address, where good credentials are known.
async fn service_with_accounts() -> MockServer {
    let server = MockServer::start().await;
    let user = github_example("user");
    check_github("AuthenticatedUser", &user).unwrap();
    let installation = github_example("installation");
    check_github("Installation", &installation).unwrap();
    let token = github_example("token");
    check_github("InstallationToken", &token).unwrap();
    let account = stripe_fixture("account");
    check_stripe("Account", &account).unwrap();
    let messages = json!({ "messages": [], "page": 0, "page_size": 1 });
    check_twilio("MessageList", &messages).unwrap();
    let models = json!({ "object": "list", "data": [
        { "id": "gpt-4.1-mini", "object": "model", "created": 1, "owned_by": "openai" },
    ] });
    check_openai("ListModelsResponse", &models).unwrap();
    let twilio = "/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef";
    let answers = [
        (
            "GET",
            "/oauth2/v2/userinfo".to_owned(),
            json!({ "id": "1", "email": "ada@example.com" }),
        ),
        ("GET", "/user".to_owned(), user),
        ("GET", "/app/installations/42".to_owned(), installation),
        (
            "POST",
            "/app/installations/42/access_tokens".to_owned(),
            token,
        ),
        ("GET", "/v1/account".to_owned(), account),
        (
            "GET",
            format!("{twilio}.json"),
            json!({ "sid": "AC…", "status": "active" }),
        ),
        ("GET", format!("{twilio}/Messages.json"), messages),
        (
            "GET",
            "/v3/scopes".to_owned(),
            json!({ "scopes": ["mail.send"] }),
        ),
        ("GET", "/v1/models".to_owned(), models),
        (
            "GET",
            "/v1beta/models".to_owned(),
            json!({ "models": [{ "name": "models/gemini" }] }),
        ),
    ];
    for (method, path, body) in answers {
        answer(&server, method, &path, ok(&body)).await;
    }
    server
}

/// Every field of an action, with a value that the action takes.
fn full_input(action: &Action) -> Map<String, Value> {
    let samples: HashMap<&str, Value> = [
        ("customer", json!("cus_1")),
        ("charge", json!("ch_1")),
        ("invoice", json!("in_1")),
        ("currency", json!("eur")),
        ("mimeType", json!("text/plain")),
        ("to", json!("+4930123456")),
        ("from", json!("+4930654321")),
    ]
    .into();
    let value = |field: &actions::Field| match (action.service, field.kind) {
        (IntegrationService::Sendgrid | IntegrationService::Google, FieldKind::Texts) => {
            json!(["ada@example.com"])
        }
        (IntegrationService::Sendgrid, _) if field.name == "from" => json!("us@example.com"),
        (_, FieldKind::Text) => samples.get(field.name).cloned().unwrap_or(json!("text")),
        (_, FieldKind::Texts) => json!(["text"]),
        (_, FieldKind::Flag) => json!(true),
        (_, FieldKind::Integer { least, .. }) => json!(least),
        (_, FieldKind::Choice(choices)) => json!(choices[0]),
        (_, FieldKind::Instant) if ["to", "end"].contains(&field.name) => json!(LATER),
        (_, FieldKind::Instant) => json!(NOW),
        (IntegrationService::Google, FieldKind::Any) => json!([["cell"]]),
        (_, FieldKind::Any) => json!({}),
    };
    let fields = action.fields.iter();
    fields
        .map(|field| (field.name.to_owned(), value(field)))
        .collect()
}

/// The actions of the services here, each with credentials that it takes.
fn actions_here() -> impl Iterator<Item = (&'static Action, Credentials)> {
    let vendors = vendors();
    actions::all().filter_map(move |action| {
        let vendor = vendors
            .iter()
            .find(|vendor| vendor.service == action.service)?;
        Some((action, vendor.credentials.clone()))
    })
}

#[tokio::test]
async fn good_credentials_are_accepted_and_shown_masked() {
    let server = service_with_accounts().await;
    for vendor in all_credentials() {
        let account = vendor.check(&server.uri()).await.unwrap();
        let label = &account.label;
        assert!((1..=100).contains(&label.chars().count()), "{label}");
        assert!(!label.contains(super::vendors::CANARY), "{label}");
    }
}

#[tokio::test]
async fn refused_credentials_are_told_from_all_other_failures() {
    let server = server(ResponseTemplate::new(401).set_body_json(json!({}))).await;
    for vendor in all_credentials() {
        let error = vendor.check(&server.uri()).await.unwrap_err();
        assert!(
            matches!(error, Error::Unauthorized),
            "{:?}: {error:?}",
            vendor.service
        );
    }
}

#[tokio::test]
async fn credentials_that_no_service_can_know_are_refused_unasked() {
    let server = server(ResponseTemplate::new(200)).await;
    let connectors = connect(&server.uri());
    for vendor in vendors() {
        let connector = connectors.get(vendor.service).unwrap();
        let foreign = match vendor.service {
            IntegrationService::Twilio => Credentials::Key("key".into()),
            _ => twilio_account("AC0123456789abcdef0123456789abcdef"),
        };
        let broken = match vendor.service {
            IntegrationService::Twilio => twilio_account("SK\r\nX: 1"),
            _ => Credentials::Key("key\r\nX-Other: 1".into()),
        };
        let error = connector.check(&foreign).await.unwrap_err();
        assert!(matches!(error, Error::Unauthorized), "{error:?}");
        if vendor.service != IntegrationService::Twilio {
            let error = connector.check(&broken).await.unwrap_err();
            assert!(matches!(error, Error::Unauthorized), "{error:?}");
        }
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
}

/// What each service lets us do about its credentials.
fn revocation(service: IntegrationService) -> Revocation {
    use IntegrationService::{Anthropic, Gemini, Github, Google, Openai, Sendgrid, Stripe, Twilio};
    match service {
        Google => Revocation::Ended,
        Github | Stripe | Twilio | Sendgrid | Openai | Anthropic | Gemini => {
            Revocation::NotPossible
        }
    }
}

#[tokio::test]
async fn only_what_a_service_ends_is_told_as_ended() {
    let not_known = json!({ "error": "invalid_token" });
    for answer in [
        ResponseTemplate::new(200),
        ResponseTemplate::new(401).set_body_json(not_known),
    ] {
        let server = server(answer).await;
        let connectors = connect(&server.uri());
        for vendor in all_credentials() {
            let connector = connectors.get(vendor.service).unwrap();
            let revoked = connector.revoke(&vendor.credentials).await.unwrap();
            assert_eq!(revoked, revocation(vendor.service), "{:?}", vendor.service);
        }
    }
}

#[tokio::test]
async fn actions_of_nobody_or_of_others_are_refused_unasked() {
    let server = server(ResponseTemplate::new(200)).await;
    let connectors = connect(&server.uri());
    let foreign = |service| actions::all().find(move |action| action.service != service);
    for vendor in all_credentials() {
        let foreign = foreign(vendor.service).unwrap().name;
        for action in ["", "github.issues", foreign] {
            let request = Request {
                action,
                input: &json!({}),
                idempotency_key: "key-1",
            };
            let connector = connectors.get(vendor.service).unwrap();
            let error = connector
                .perform(&vendor.credentials, &request)
                .await
                .unwrap_err();
            assert!(
                matches!(&error, Error::Input { field, .. } if field == "action"),
                "{error:?}"
            );
        }
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn an_action_takes_all_fields_of_the_catalogue() {
    for (action, credentials) in actions_here() {
        let server = server(ResponseTemplate::new(500)).await;
        let connectors = connect(&server.uri());
        let mut input = full_input(action);
        let optional = action.fields.iter().filter(|field| !field.is_required);
        for field in std::iter::once(None).chain(optional.map(Some)) {
            if let Some(field) = field {
                input.remove(field.name);
            }
            let input = Value::Object(input.clone());
            let error = perform(&connectors, &credentials, action.name, &input).await;
            let error = error.unwrap_err();
            assert!(
                matches!(error, Error::Unavailable(_) | Error::Unknown(_)),
                "{} {input}: {error:?}",
                action.name
            );
        }
    }
}

#[tokio::test]
async fn an_action_takes_no_other_fields_and_none_that_are_wrong() {
    let server = server(ResponseTemplate::new(200)).await;
    let connectors = connect(&server.uri());
    for (action, credentials) in actions_here() {
        let input = full_input(action);
        let mut wrong = vec![json!(null), json!([]), json!("text")];
        let mut with = |name: &str, value: Value| {
            let mut input = input.clone();
            input.insert(name.to_owned(), value);
            wrong.push(Value::Object(input));
        };
        with("unheardOf", json!(1));
        for field in action.fields {
            with(field.name, json!({ "a": 1 }));
            if field.is_required {
                with(field.name, Value::Null);
            }
        }
        for input in wrong {
            let result = perform(&connectors, &credentials, action.name, &input).await;
            let error = result.unwrap_err();
            assert!(
                matches!(error, Error::Input { .. }),
                "{} {input}: {error:?}",
                action.name
            );
        }
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
}

#[test]
fn stubs_of_services_are_refused_on_cloud_run() {
    let names = [
        "GOOGLE",
        "GITHUB",
        "STRIPE",
        "TWILIO",
        "SENDGRID",
        "OPENAI",
        "ANTHROPIC",
        "GEMINI",
    ];
    for name in names {
        let variable = format!("CONNECTOR_{name}_URL");
        let stub = (variable.clone(), "http://127.0.0.1:1".to_owned());
        let service = ("K_SERVICE".to_owned(), "api".to_owned());
        let google = GOOGLE_CLIENT.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let env = Env::from_pairs([stub, service].into_iter().chain(google));
        let clock = FixedClock::at(NOW).shared();
        let error = Connectors::load(&env, &client().unwrap(), &clock)
            .err()
            .unwrap();
        assert!(
            matches!(error, config::Error::DevelopmentOnly(found) if found == variable),
            "{error}"
        );
    }
}
