//! Models are asked with the organization's own keys, and refuse with all that they were told.

use emulator_tests::stubs::vendors::Failure;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{Answer, World};

/// What vendors refuse or fail with; last what ends the key.
const STATUSES: [u16; 7] = [400, 403, 404, 429, 500, 529, 401];

/// Models of the vendors whose stand-in is [`Vendors`](emulator_tests::stubs::vendors::Vendors).
const MODELS: [(&str, &str); 2] = [
    ("anthropic", "claude-sonnet-5"),
    ("gemini", "gemini-3.5-flash"),
];

pub(crate) async fn ask_all(world: &World) {
    for (vendor, model) in MODELS {
        for status in STATUSES {
            let status = StatusCode::from_u16(status).unwrap();
            let failure = Failure::Echo(status);
            world.vendors.set_failure(vendor, Some(failure));
            for is_stream in [false, true] {
                let answer = ask(world, model, is_stream).await;
                assert!(!answer.status.is_success(), "{vendor} {status}: {answer:?}");
            }
        }
        world.vendors.set_failure(vendor, None);
        let answer = ask(world, model, false).await;
        assert_eq!(
            answer.body["error"]["code"], "failed_precondition",
            "{vendor}: the key is not taken any more: {answer:?}"
        );
    }
    // The key of OpenAI is good, and so is its stand-in.
    let answer = ask(world, "gpt-4.1-mini", false).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let request = world.client.request(Method::GET, "/integrations");
    let answer = world.answers.send("GET /integrations", request).await;
    let broken = answer.body["items"].as_array().unwrap().iter();
    let broken = broken.filter(|item| {
        let is_asked = MODELS.iter().any(|(vendor, _)| item["service"] == *vendor);
        is_asked && item["errorCause"] == "unauthorized"
    });
    assert_eq!(broken.count(), MODELS.len(), "{answer:?}");
}

async fn ask(world: &World, model: &str, is_stream: bool) -> Answer {
    let message: Value = json!({ "role": "user", "content": "Hello" });
    let question = json!({ "model": model, "messages": [message], "stream": is_stream });
    let path = "/llm/chat/completions";
    let request = world.client.request(Method::POST, path).json(&question);
    world.answers.send(&format!("POST {path}"), request).await
}
