//! The services, each with credentials, an action that reads and one that writes.

use std::sync::LazyLock;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use shared::{
    config::Env,
    connectors::{
        Account, Connectors, Credentials, Error, GithubApp, GoogleTokens, Request, TwilioAccount,
    },
    http::client,
    models::IntegrationService,
    testing::{FixedClock, GOOGLE_CLIENT},
};

/// Stands in what users enter and in keys: no error may show it.
pub(crate) const CANARY: &str = "canary4d1f0a";

/// When all of it happens.
pub(crate) const NOW: &str = "2026-11-23T22:00:00Z";

/// A service and what it is tried with.
#[derive(Clone)]
pub(crate) struct Vendor {
    pub(crate) service: IntegrationService,
    pub(crate) credentials: Credentials,
    pub(crate) read: Operation,
    pub(crate) write: Option<Operation>,
}

#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Check,
    Perform(&'static str, Value),
}

thread_local! {
    /// Each test has a thread, and so connections, of its own.
    static CLIENT: reqwest::Client = client().unwrap();
}

/// A private key that is made for this run.
pub(crate) static PRIVATE_KEY: LazyLock<KeyPair> =
    LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).unwrap());

pub(crate) fn private_key_pem() -> String {
    let der: Pkcs8V1Der<'_> = PRIVATE_KEY.as_der().unwrap();
    let text = BASE64_STANDARD.encode(der.as_ref());
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

pub(crate) fn key(prefix: &str) -> Credentials {
    Credentials::Key(format!("{prefix}{CANARY}0123456789").into())
}

pub(crate) fn github_app() -> Credentials {
    Credentials::GithubApp(GithubApp {
        app_id: "Iv1.app".to_owned(),
        installation_id: 42,
        private_key: private_key_pem().into(),
    })
}

pub(crate) fn twilio_account(key_sid: &str) -> Credentials {
    Credentials::Twilio(TwilioAccount {
        account_sid: "AC0123456789abcdef0123456789abcdef".to_owned(),
        key_sid: key_sid.to_owned(),
        secret: CANARY.into(),
    })
}

pub(crate) fn google_tokens() -> Credentials {
    Credentials::Google(GoogleTokens {
        access_token: format!("ya29.{CANARY}").into(),
        expires_at: FixedClock::at(NOW).shared().now().into(),
        refresh_token: format!("1//{CANARY}").into(),
    })
}

/// All of them.
pub(crate) fn vendors() -> Vec<Vendor> {
    let llms = [
        (IntegrationService::Openai, "sk-proj-"),
        (IntegrationService::Anthropic, "sk-ant-api03-"),
        (IntegrationService::Gemini, "AIza"),
    ];
    let llms = llms.map(|(service, prefix)| Vendor {
        service,
        credentials: key(prefix),
        read: Operation::Check,
        write: None,
    });
    let others = [google(), github(), stripe(), twilio(), sendgrid()];
    others.into_iter().chain(llms).collect()
}

fn google() -> Vendor {
    let search = json!({ "query": CANARY });
    let rows = json!({ "spreadsheetId": "sheet", "range": "A1", "rows": [[CANARY]] });
    Vendor {
        service: IntegrationService::Google,
        credentials: google_tokens(),
        read: Operation::Perform("google.gmail.search", search),
        write: Some(Operation::Perform("google.sheets.append", rows)),
    }
}

fn github() -> Vendor {
    let list = json!({ "owner": "octocat", "repo": "hello", "labels": [CANARY] });
    let issue = json!({ "owner": "octocat", "repo": "hello", "title": CANARY });
    Vendor {
        service: IntegrationService::Github,
        credentials: key("ghp_"),
        read: Operation::Perform("github.issues.list", list),
        write: Some(Operation::Perform("github.issues.create", issue)),
    }
}

fn stripe() -> Vendor {
    let charges = json!({ "customer": format!("cus_{CANARY}") });
    let refund = json!({ "charge": format!("ch_{CANARY}") });
    Vendor {
        service: IntegrationService::Stripe,
        credentials: key("sk_test_"),
        read: Operation::Perform("stripe.charges.list", charges),
        write: Some(Operation::Perform("stripe.charges.refund", refund)),
    }
}

fn twilio() -> Vendor {
    let sms = json!({ "to": "+4930123456", "from": "+4930654321", "body": CANARY });
    Vendor {
        service: IntegrationService::Twilio,
        credentials: twilio_account("AC0123456789abcdef0123456789abcdef"),
        read: Operation::Check,
        write: Some(Operation::Perform("twilio.sms.send", sms)),
    }
}

fn sendgrid() -> Vendor {
    let mail = json!({
        "from": "us@example.com",
        "to": [format!("{CANARY}@example.com")],
        "subject": CANARY,
        "text": CANARY,
    });
    Vendor {
        service: IntegrationService::Sendgrid,
        credentials: key("SG."),
        read: Operation::Check,
        write: Some(Operation::Perform("sendgrid.mail.send", mail)),
    }
}

/// All adapters, with every service at this address.
pub(crate) fn connect(base_url: &str) -> Connectors {
    connect_at(base_url, &FixedClock::at(NOW))
}

pub(crate) fn connect_at(base_url: &str, clock: &FixedClock) -> Connectors {
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
    let pairs = names.map(|name| (format!("CONNECTOR_{name}_URL"), base_url.to_owned()));
    let oauth = ("GOOGLE_OAUTH_EMULATOR_URL".to_owned(), base_url.to_owned());
    let client = GOOGLE_CLIENT.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let env = Env::from_pairs(pairs.into_iter().chain([oauth]).chain(client));
    CLIENT.with(|client| Connectors::load(&env, client, &clock.shared()).unwrap())
}

impl Vendor {
    /// Has it carried out; a check answers nothing.
    pub(crate) async fn run(&self, base_url: &str, operation: &Operation) -> Result<Value, Error> {
        let connectors = connect(base_url);
        match operation {
            Operation::Check => {
                let connector = connectors.get(self.service).unwrap();
                let account = connector.check(&self.credentials).await;
                account.map(|_| Value::Null)
            }
            Operation::Perform(action, input) => {
                perform(&connectors, &self.credentials, action, input).await
            }
        }
    }

    pub(crate) async fn check(&self, base_url: &str) -> Result<Account, Error> {
        let connectors = connect(base_url);
        let connector = connectors.get(self.service).unwrap();
        connector.check(&self.credentials).await
    }
}

/// Has the adapter of the action's service carry it out, with the key `key-1`.
pub(crate) async fn perform(
    connectors: &Connectors,
    credentials: &Credentials,
    action: &str,
    input: &Value,
) -> Result<Value, Error> {
    let service = shared::actions::find(action).unwrap().service;
    let request = Request {
        action,
        input,
        idempotency_key: "key-1",
    };
    let connector = connectors.get(service).unwrap();
    connector.perform(credentials, &request).await
}

/// Asserts that neither the error nor what caused it shows what a user entered.
pub(crate) fn assert_shows_no_secret(error: &Error) {
    let mut shown = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        shown.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    assert!(!shown.contains(CANARY), "{shown}");
}
