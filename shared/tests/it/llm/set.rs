//! The set of providers that a service is configured for.

use std::sync::Arc;

use serde_json::json;
use shared::{
    config::{self, Env},
    http::client,
    llm::{ProviderName, Providers},
    service_identity::ServiceIdentity,
    testing::{provider_of, provider_with_key},
};

use super::{
    fixtures::request,
    server::{env, ok, only_request, providers, server},
};

fn load(pairs: &[(&str, &str)]) -> Result<Providers, config::Error> {
    let env = Env::from_pairs(pairs.iter().copied());
    Providers::load(&env, client().unwrap(), Arc::new(ServiceIdentity::new()))
}

fn names(providers: &Providers) -> Vec<ProviderName> {
    let is_there = |name: &ProviderName| provider_of(providers, *name).is_some();
    ProviderName::ALL.into_iter().filter(is_there).collect()
}

#[test]
fn only_those_that_are_configured_are_there() {
    assert_eq!(names(&load(&[]).unwrap()), []);
    for (variable, name) in [
        ("OPENAI_API_KEY", ProviderName::Openai),
        ("ANTHROPIC_API_KEY", ProviderName::Anthropic),
        ("GEMINI_API_KEY", ProviderName::Gemini),
        ("VERTEX_PROJECT", ProviderName::Vertex),
    ] {
        assert_eq!(names(&load(&[(variable, "value")]).unwrap()), [name]);
    }
    let compatible = load(&[("COMPATIBLE_BASE_URL", "http://localhost:11434/v1")]);
    assert_eq!(names(&compatible.unwrap()), [ProviderName::Compatible]);
}

#[test]
fn what_is_no_address_is_refused_with_its_name() {
    for variable in [
        "OPENAI_BASE_URL",
        "ANTHROPIC_BASE_URL",
        "GEMINI_BASE_URL",
        "COMPATIBLE_BASE_URL",
    ] {
        let error = load(&[(variable, "nowhere")]).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(variable), "{error}");
    }
}

#[test]
fn names_that_would_lead_elsewhere_are_refused() {
    for (project, location) in [("p", "evil.example/"), ("p/../q", "eu"), ("p", "a@b")] {
        let pairs = [("VERTEX_PROJECT", project), ("VERTEX_LOCATION", location)];
        assert!(load(&pairs).is_err(), "{project} {location}");
    }
}

#[test]
fn a_stand_in_is_refused_on_cloud_run() {
    let pairs = [
        ("VERTEX_EMULATOR_URL", "http://localhost:1"),
        ("K_SERVICE", "api"),
    ];
    let error = load(&pairs).map(|_| ()).unwrap_err();
    assert!(
        matches!(error, config::Error::DevelopmentOnly("VERTEX_EMULATOR_URL")),
        "{error}"
    );
}

#[tokio::test]
async fn an_organizations_key_is_used_instead_of_ours() {
    for (name, header, expected) in [
        (ProviderName::Openai, "authorization", "Bearer theirs"),
        (ProviderName::Anthropic, "x-api-key", "theirs"),
        (ProviderName::Gemini, "x-goog-api-key", "theirs"),
    ] {
        let server = server(ok(&json!({}))).await;
        let providers = providers(&env(&server.uri()));
        let theirs = provider_with_key(&providers, name, &"theirs".into()).unwrap();
        theirs.chat(&request()).await.unwrap_err();
        assert_eq!(only_request(&server).await.headers[header], expected);
    }
}

#[test]
fn an_organizations_key_needs_none_of_ours_and_not_everyone_takes_one() {
    let bare = load(&[]).unwrap();
    let ours = providers(&env("http://localhost:1"));
    for (name, takes_keys) in [
        (ProviderName::Openai, true),
        (ProviderName::Anthropic, true),
        (ProviderName::Gemini, true),
        (ProviderName::Vertex, false),
        (ProviderName::Compatible, false),
    ] {
        for providers in [&bare, &ours] {
            let provider = provider_with_key(providers, name, &"theirs".into());
            assert_eq!(provider.is_some(), takes_keys, "{name}");
        }
    }
}
