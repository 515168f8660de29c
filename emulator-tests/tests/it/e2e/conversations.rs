//! Talking with an agent, from the client's request to the model and back.

use emulator_tests::chat::Chat;
use reqwest::{Method, header::CONTENT_TYPE};
use serde_json::{Value, json};

use super::start;

#[tokio::test]
async fn an_agent_answers_and_remembers() {
    let harness = start().await;
    let mut chat = Chat::begin(harness.endpoints()).await.unwrap();
    let mut told = String::new();
    let mut tell = |piece: &str| told.push_str(piece);
    let first = chat.say("My name is Grace.", &mut tell).await.unwrap();
    let second = chat.say("What is my name?", &mut tell).await.unwrap();
    assert_eq!(told, format!("{first}{second}"), "the pieces are the whole");
    let llm = harness.llm().unwrap().requests();
    let last = llm.last().unwrap().body["messages"].clone();
    let texts: Vec<_> = last.as_array().unwrap().iter().map(text).collect();
    assert!(texts[0].contains("Ada"), "{texts:?}");
    assert_eq!(
        texts[1..],
        ["My name is Grace.", &first, "What is my name?"]
    );
    let (agent, session) = (chat.agent_id(), chat.session_id().unwrap());
    let path = format!("/agents/{agent}/sessions/{session}/messages");
    let kept = chat.client().get(&path).await.unwrap();
    let kept: Vec<_> = kept["items"].as_array().unwrap().iter().collect();
    let kept: Vec<_> = kept
        .iter()
        .map(|item| item["text"].as_str().unwrap())
        .collect();
    assert_eq!(
        kept,
        ["My name is Grace.", &first, "What is my name?", &second]
    );
    harness.stop().await;
}

#[tokio::test]
async fn an_agent_speaks() {
    let harness = start().await;
    let chat = Chat::begin(harness.endpoints()).await.unwrap();
    let path = format!("/agents/{}/speech", chat.agent_id());
    let body = json!({ "text": "Hello" });
    let request = chat.client().request(Method::POST, &path).json(&body);
    let answer = request.send().await.unwrap().error_for_status().unwrap();
    assert_eq!(answer.headers()[CONTENT_TYPE], "audio/mpeg");
    let audio = answer.bytes().await.unwrap();
    assert_eq!(audio[..2], [0xff, 0xf3], "frames of MPEG audio");
    let asked = harness.llm().unwrap().requests();
    let asked = asked.iter().find(|asked| asked.path == "/v1/audio/speech");
    let asked = &asked.unwrap().body;
    assert_eq!(
        (&asked["voice"], &asked["input"]),
        (&json!("alloy"), &json!("Hello"))
    );
    harness.stop().await;
}

fn text(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        parts => parts[0]["text"].as_str().unwrap_or_default().to_owned(),
    }
}
