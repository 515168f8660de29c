//! The program's commands, with stand-ins of the programs that they run.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Output},
};

use tempfile::TempDir;

const OUTPUTS: &str = r#"{
    "certificate": {"value": "edge-1"},
    "dead_letters": {"value": {"eventarc-1": {"topic": "projects/p/topics/api-dead", "max_deliveries": 10}}},
    "domain": {"value": "api.example.com"},
    "google_oauth_client_id": {"value": "1.apps.example.com"},
    "project_id": {"value": "p"},
    "secrets": {"value": {"sendgrid-api-key": "2", "stripe-verify-api-key": "1"}}
}"#;

const GCLOUD: &str = r#"case "$*" in
    secrets*access*) printf sk_live_planted ;;
    secrets*) echo ENABLED ;;
    pubsub*) echo projects/p/topics/api-dead ;;
    compute*) echo ACTIVE ;;
    firestore*) ;;
esac"#;

const CURL: &str = r#"case "$*" in
    *tls-max\ 1.1*) exit 35 ;;
    *accounts.google.com*) printf https://accounts.google.com/v3/signin/identifier ;;
    *dump-header*) printf 'HTTP/2 401\r\nStrict-Transport-Security: max-age=31536000; includeSubDomains\r\n' ;;
    *http://*) printf '301 https://api.example.com:443/' ;;
esac"#;

/// Only with the key, and with the URL that Stripe should have.
const CARGO: &str = r#"[ "$STRIPE_API_KEY" = sk_live_planted ] &&
    [ "${@: -1}" = https://api.example.com/webhooks/stripe ]"#;

/// Looks at a deployment whose parts answer like this.
fn check(gcloud: &str, curl: &str, cargo: &str) -> Output {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("outputs.json"), OUTPUTS).unwrap();
    let terraform = r#"cat "$(dirname "$0")/outputs.json""#;
    for (name, answer) in [
        ("terraform", terraform),
        ("gcloud", gcloud),
        ("curl", curl),
        ("cargo", cargo),
    ] {
        let program = folder.path().join(name);
        fs::write(&program, format!("#!/bin/bash\n{answer}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    Command::new("bash")
        .args(["-c", r#"PATH="$0:$PATH" exec "$@""#])
        .arg(folder.path())
        .args([env!("CARGO_BIN_EXE_xtask"), "check-production"])
        .output()
        .unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_deployment_that_is_as_it_must_be_passes() {
    let output = check(GCLOUD, CURL, CARGO);
    let table = told(&output);
    assert!(output.status.success(), "{table}");
    let good = table.lines().filter(|line| line.starts_with("ok "));
    assert_eq!(good.count(), 10, "{table}");
    assert!(table.contains("look    OAuth consent screen"), "{table}");
}

#[test]
fn each_fault_of_a_deployment_is_told_by_its_name() {
    let faults = [
        (
            "secret sendgrid-api-key, version 2",
            "secrets*) echo ENABLED",
            "secrets*) echo DISABLED",
        ),
        (
            "secret stripe-verify-api-key",
            "secrets*) echo ENABLED",
            "secrets*) exit 1",
        ),
        (
            "dead letters of a trigger",
            "echo projects/p/topics/api-dead",
            ":",
        ),
        ("certificate", "echo ACTIVE", "echo PROVISIONING"),
        ("indexes", "firestore*) ;;", "firestore*) echo an-index ;;"),
        ("TLS 1.1", "exit 35", ":"),
        ("TLS 1.1", "tls-max\\ 1.1", "tls-max"),
        (
            "HTTP ",
            "301 https://api.example.com:443/",
            "301 https://api.example.com.evil.example/",
        ),
        ("HSTS", "Strict-Transport-Security", "X-Nothing"),
        (
            "OAuth client",
            "v3/signin/identifier",
            "signin/oauth/error/v2?authError=x",
        ),
        (
            "Stripe's endpoint",
            "sk_live_planted ] &&",
            "sk_live_planted ] && false &&",
        ),
    ];
    for (subject, from, to) in faults {
        let [gcloud, curl, cargo] = [GCLOUD, CURL, CARGO].map(|text| text.replace(from, to));
        assert_ne!([&gcloud[..], &curl, &cargo], [GCLOUD, CURL, CARGO]);
        let output = check(&gcloud, &curl, &cargo);
        let table = told(&output);
        assert!(!output.status.success(), "{subject}: {table}");
        let bad = table.lines().find(|line| line.contains(subject));
        assert!(
            bad.is_some_and(|line| line.starts_with("FAILED")),
            "{subject}: {table}"
        );
    }
}

#[test]
fn no_secret_is_shown() {
    for cargo in [CARGO, "echo \"$STRIPE_API_KEY\"; exit 1"] {
        let output = check(GCLOUD, CURL, cargo);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!told(&output).contains("sk_live") && !errors.contains("sk_live"));
    }
}
