//! Talking with an agent, from the client's request to the model and back.

use emulator_tests::chat::Chat;
use serde_json::Value;

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

fn text(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        parts => parts[0]["text"].as_str().unwrap_or_default().to_owned(),
    }
}
