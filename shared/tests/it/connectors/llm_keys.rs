//! How the keys of model vendors are asked for.

use serde_json::json;
use shared::models::IntegrationService::{self, Anthropic, Gemini, Openai};

use super::{
    fake::{ok, query, server},
    vendors::{CANARY, connect, key},
};

struct Row {
    service: IntegrationService,
    prefix: &'static str,
    path: &'static str,
    header: &'static str,
    scheme: &'static str,
    label: &'static str,
}

fn rows() -> [Row; 3] {
    let row = |service, prefix, path, header, scheme, label| Row {
        service,
        prefix,
        path,
        header,
        scheme,
        label,
    };
    [
        row(
            Openai,
            "sk-proj-",
            "/v1/models",
            "authorization",
            "Bearer ",
            "sk-proj-…6789",
        ),
        row(
            Anthropic,
            "sk-ant-api03-",
            "/v1/models",
            "x-api-key",
            "",
            "sk-ant-api03-…6789",
        ),
        row(
            Gemini,
            "AIza",
            "/v1beta/models",
            "x-goog-api-key",
            "",
            "AIza…6789",
        ),
    ]
}

#[tokio::test]
async fn a_key_is_tried_by_a_list_of_models_and_never_in_the_address() {
    for row in rows() {
        let name = if row.service == Gemini {
            "models"
        } else {
            "data"
        };
        let server = server(ok(&json!({ name: [] }))).await;
        let connectors = connect(&server.uri());
        let connector = connectors.get(row.service).unwrap();
        let account = connector.check(&key(row.prefix)).await.unwrap();
        assert_eq!(account.label, row.label);
        let sent = &server.received_requests().await.unwrap()[0];
        let expected = format!("{}{}{CANARY}0123456789", row.scheme, row.prefix);
        assert_eq!(sent.headers[row.header], expected.as_str());
        assert_eq!(sent.url.path(), row.path);
        assert!(!sent.url.as_str().contains(CANARY));
        let version = sent.headers.get("anthropic-version");
        assert_eq!(version.is_some(), row.service == Anthropic);
        let expected = match row.service {
            Anthropic => json!({ "limit": "1" }),
            Gemini => json!({ "pageSize": "1" }),
            _ => json!({}),
        };
        assert_eq!(query(sent), expected);
    }
}
