//! Instances that are stopped while a run is under way.

use std::sync::Arc;

use async_trait::async_trait;
use http::StatusCode;
use serde_json::json;
use shared::{
    llm::{ChatRequest, ChatResponse, Error as LlmError, Provider},
    models::{ExecutionStatus, StepStatus},
    shutdown::Shutdown,
    testing::ScriptedLlm,
};
use tokio::sync::Mutex;

use crate::app::{App, edge, node, trigger};

/// A model that stops the instance, and answers at once or never.
#[derive(Default)]
struct Stops {
    shutdown: Mutex<Option<Shutdown>>,
    answers: bool,
}

#[async_trait]
impl Provider for Stops {
    async fn chat(&self, request: &ChatRequest) -> Result<ChatResponse, LlmError> {
        let stops = self.shutdown.lock().await.take();
        if let Some(shutdown) = stops {
            shutdown.begin();
            if !self.answers {
                std::future::pending::<()>().await;
            }
        }
        ScriptedLlm::answering("done").chat(request).await
    }
}

/// The run of two calls whose first stops the instance.
async fn stopped_in_the_first_call(answers: bool) -> App {
    let provider = Arc::new(Stops {
        answers,
        ..Stops::default()
    });
    let app = App::new(provider.clone()).await;
    *provider.shutdown.lock().await = Some(app.shutdown.clone());
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("first", "llm", json!({ "prompt": "first" })),
        node("second", "llm", json!({ "prompt": "second" })),
    ]);
    app.save(
        nodes,
        json!([edge("start", "first"), edge("first", "second")]),
    )
    .await;
    let answer = app.deliver(&trigger(json!({}))).await;
    assert_eq!(answer, StatusCode::NO_CONTENT);
    app
}

#[tokio::test(start_paused = true)]
async fn what_ends_in_time_is_recorded_and_the_rest_handed_over() {
    let app = stopped_in_the_first_call(true).await;
    assert_eq!(app.step("first").await.status, StepStatus::Succeeded);
    let execution = app.execution().await;
    assert_eq!(execution.status, ExecutionStatus::Running);
    assert_eq!(execution.lease.owner, None, "the lease is given back");
    assert_eq!(
        app.queue.take().len(),
        1,
        "another instance goes on at once"
    );
}

#[tokio::test(start_paused = true)]
async fn what_takes_too_long_is_left_to_another() {
    let app = stopped_in_the_first_call(false).await;
    assert_eq!(app.step("first").await.status, StepStatus::Running);
    assert_eq!(app.execution().await.lease.owner, None);
    assert_eq!(app.queue.take().len(), 1);
}
