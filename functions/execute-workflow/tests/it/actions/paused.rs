//! A workflow pauses while a service that it needs has to be connected again.

use std::sync::Arc;

use serde_json::{Value, json};
use shared::{
    models::{
        Execution, ExecutionStatus, Integration, IntegrationService, IntegrationStatus, TriggerType,
    },
    store::integrations,
    testing::{RecordingActions, integration},
};

use super::{COMMENT, app, comment};
use crate::app::{App, trigger};

pub(crate) async fn integrate(
    app: &App,
    id: &str,
    service: IntegrationService,
    status: IntegrationStatus,
) {
    let integration = Integration {
        account_label: "a".to_owned(),
        status,
        ..integration(id, "u1", service)
    };
    let writes = integrations::create(&integration).unwrap();
    app.store.commit(writes.into()).await.unwrap();
}

async fn start(app: &App, kind: TriggerType) -> Execution {
    let mut trigger = trigger(json!({}));
    trigger.kind = kind;
    app.deliver(&trigger).await;
    app.execution().await
}

/// A workflow that comments on GitHub, where these integrations are.
async fn commenting(
    data: Value,
    integrations: &[(&str, IntegrationService, IntegrationStatus)],
) -> App {
    let actions = Arc::new(RecordingActions::doing_all());
    let app = app(&actions, COMMENT, comment(data)).await;
    for (id, service, status) in integrations {
        integrate(&app, id, *service, *status).await;
    }
    app
}

use IntegrationService::{Github, Stripe};
use IntegrationStatus::{Connected, Error};

#[tokio::test]
async fn what_starts_by_itself_is_refused_and_says_what_to_connect() {
    for kind in [
        TriggerType::Schedule,
        TriggerType::Webhook,
        TriggerType::OnEmailReceived,
        TriggerType::OnExecutionFailed,
    ] {
        let app = commenting(json!({}), &[("g", Github, Error)]).await;
        let execution = start(&app, kind).await;
        assert_eq!(execution.status, ExecutionStatus::Failed);
        let error = execution.error.unwrap();
        assert_eq!(error.code, "failed_precondition");
        let expected = "the workflow is paused: `github` has to be connected again";
        assert_eq!(error.message, expected);
    }
}

#[tokio::test]
async fn a_person_may_start_it_all_the_same() {
    let app = commenting(json!({}), &[("g", Github, Error)]).await;
    let execution = start(&app, TriggerType::Manual).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded);
}

#[tokio::test]
async fn only_what_the_workflow_needs_counts() {
    let named = || json!({ "integration": "g1" });
    let any = || json!({});
    let computed = || json!({ "integration": "${trigger.none}" });
    let cases: [(Value, &[_], bool); 7] = [
        (any(), &[("s", Stripe, Error)], true),
        (any(), &[], true),
        (
            any(),
            &[("g1", Github, Error), ("g2", Github, Connected)],
            true,
        ),
        (
            any(),
            &[("g1", Github, Error), ("g2", Github, Error)],
            false,
        ),
        (
            named(),
            &[("g1", Github, Error), ("g2", Github, Connected)],
            false,
        ),
        (
            named(),
            &[("g1", Github, Connected), ("g2", Github, Error)],
            true,
        ),
        (computed(), &[("g1", Github, Error)], true),
    ];
    for (position, (data, integrations, begins)) in cases.into_iter().enumerate() {
        let app = commenting(data, integrations).await;
        let execution = start(&app, TriggerType::Schedule).await;
        let is_paused = execution
            .error
            .is_some_and(|error| error.message.contains("paused"));
        assert_eq!(is_paused, !begins, "case {position}");
    }
}
