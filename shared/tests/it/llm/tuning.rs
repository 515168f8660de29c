//! OpenAI's fine-tuning, against a server that is held to OpenAI's description.

use serde_json::json;
use shared::{
    http::client,
    llm::{Error, JobState, OpenAi, OpenAiConfig, Tuner, TuningOrder},
    testing::FakeOpenAi,
};

use super::server::{KEY, env};

const LINE: &str = "{\"messages\":[{\"role\":\"user\",\"content\":\"Grüß --x\\r\\n\"}]}\n";

fn tuner(fake: &FakeOpenAi) -> OpenAi {
    let config = OpenAiConfig::load(&env(fake.base_url())).unwrap();
    OpenAi::new(config, client().unwrap())
}

fn order(key: &str) -> TuningOrder {
    TuningOrder {
        key: key.to_owned(),
        base_model: "gpt-4.1-mini-2025-04-14".to_owned(),
        file_id: "file-1".to_owned(),
        epochs: 3,
    }
}

#[tokio::test]
async fn examples_and_jobs_fit_the_published_description() {
    let fake = FakeOpenAi::start().await;
    let tuner = tuner(&fake);
    let file_id = tuner.upload("t1", LINE.to_owned()).await.unwrap();
    assert_eq!(
        (file_id.as_str(), fake.files()),
        ("file-1", vec![LINE.to_owned()])
    );
    assert_eq!(tuner.find("t1").await.unwrap(), None);
    let made = tuner.create(&order("t1")).await.unwrap();
    assert_eq!((made.id.as_str(), made.state), ("ftjob-1", JobState::Open));
    assert_eq!(tuner.find("t1").await.unwrap(), Some(made.clone()));
    assert_eq!(tuner.find("t2").await.unwrap(), None);
    let job = &fake.jobs()[0];
    assert_eq!(job["model"], "gpt-4.1-mini-2025-04-14");
    assert_eq!(job["metadata"], json!({ "infinity_x_tuning": "t1" }));
    let method = json!({
        "type": "supervised",
        "supervised": { "hyperparameters": { "n_epochs": 3 } },
    });
    assert_eq!(job["method"], method);
    fake.change_jobs(&json!({
        "status": "succeeded",
        "fine_tuned_model": "ft:gpt-4.1-mini:org::1",
        "trained_tokens": 1_234,
    }));
    let done = tuner.look_at("ftjob-1").await.unwrap();
    assert_eq!(done.state, JobState::Succeeded);
    assert_eq!(done.tuned_model.as_deref(), Some("ft:gpt-4.1-mini:org::1"));
    assert_eq!(done.trained_tokens, Some(1_234));
    assert!(fake.problems().is_empty(), "{:?}", fake.problems());
}

#[tokio::test]
async fn of_several_jobs_for_a_key_the_first_counts() {
    let fake = FakeOpenAi::start().await;
    let tuner = tuner(&fake);
    tuner.upload("t1", LINE.to_owned()).await.unwrap();
    let first = tuner.create(&order("t1")).await.unwrap();
    tuner.create(&order("t1")).await.unwrap();
    assert_eq!(tuner.find("t1").await.unwrap(), Some(first));
}

#[tokio::test]
async fn a_job_is_stopped_and_a_failed_one_tells_its_code_alone() {
    let fake = FakeOpenAi::start().await;
    let tuner = tuner(&fake);
    tuner.upload("t1", LINE.to_owned()).await.unwrap();
    tuner.create(&order("t1")).await.unwrap();
    let error = json!({ "code": "invalid_training_file", "message": "secret", "param": null });
    fake.change_jobs(&json!({ "status": "failed", "error": error }));
    let failed = tuner.look_at("ftjob-1").await.unwrap();
    assert_eq!(failed.state, JobState::Failed);
    assert_eq!(failed.error_code.as_deref(), Some("invalid_training_file"));
    let cancelled = tuner.cancel("ftjob-1").await.unwrap();
    assert_eq!(cancelled.state, JobState::Cancelled);
    assert!(fake.problems().is_empty(), "{:?}", fake.problems());
}

#[tokio::test]
async fn refusals_are_told_apart_and_show_no_secret() {
    let fake = FakeOpenAi::start().await;
    let tuner = tuner(&fake);
    let error = tuner.create(&order("t1")).await.unwrap_err();
    assert!(matches!(error, Error::InvalidRequest { .. }), "{error:?}");
    let error = tuner.look_at("ftjob-1/../files").await.unwrap_err();
    assert!(matches!(error, Error::InvalidRequest { .. }), "{error:?}");
    fake.fail_all(Some(http::StatusCode::SERVICE_UNAVAILABLE));
    let error = tuner.find("t1").await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    let told = format!("{error:?}");
    assert!(!told.contains(KEY) && !told.contains("secret"), "{told}");
}
