use reqwest::StatusCode;
use serde_json::{Value, json};

use super::*;
use crate::emulators::client;
use crate::stubs::contract;

async fn start() -> OpenAi {
    OpenAi::start(OpenAiOptions::default())
        .await
        .expect("start")
}

fn chat(prompt: &str) -> Value {
    json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": prompt }] })
}

async fn post(openai: &OpenAi, path: &str, body: &Value) -> reqwest::Response {
    let request = client().post(format!("{}/{path}", openai.base_url()));
    let response = request.bearer_auth("sk-local").json(body).send().await;
    response.expect("an answer")
}

async fn complete(openai: &OpenAi, body: &Value) -> (StatusCode, Value) {
    let response = post(openai, "chat/completions", body).await;
    let status = response.status();
    (status, response.json().await.expect("JSON"))
}

async fn stream(openai: &OpenAi, body: &Value) -> Vec<Value> {
    let response = post(openai, "chat/completions", body).await;
    assert_eq!(response.status(), StatusCode::OK);
    let kind = response.headers()["content-type"].to_str().expect("text");
    assert!(kind.starts_with("text/event-stream"), "{kind}");
    let text = response.text().await.expect("text");
    let events: Vec<&str> = text.split_terminator("\n\n").collect();
    let (last, chunks) = events.split_last().expect("events");
    assert_eq!(*last, "data: [DONE]");
    let chunk = |event: &&str| {
        let data = event.strip_prefix("data: ").expect("data");
        serde_json::from_str(data).expect("JSON")
    };
    chunks.iter().map(chunk).collect()
}

fn assert_fits(name: &str, value: &Value) {
    let schema = contract::openai(name).expect("a schema");
    let errors: Vec<String> = schema.iter_errors(value).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{name}: {errors:?} in {value}");
}

#[tokio::test]
async fn a_completion_fits_the_contract_and_counts_tokens() {
    let openai = start().await;
    let (status, body) = complete(&openai, &chat("Say hello to the world")).await;
    assert_eq!(status, StatusCode::OK);
    assert_fits("CreateChatCompletionResponse", &body);
    let content = body["choices"][0]["message"]["content"]
        .as_str()
        .expect("text");
    assert!(content.contains("Say hello to the world"), "{content}");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    let usage = |name: &str| body["usage"][name].as_u64().expect("a number");
    assert_eq!(usage("prompt_tokens"), 6);
    assert!(usage("completion_tokens") > 0);
    assert_eq!(
        usage("total_tokens"),
        usage("prompt_tokens") + usage("completion_tokens")
    );
}

#[tokio::test]
async fn an_empty_prompt_still_costs_a_token() {
    let openai = start().await;
    let (_, body) = complete(&openai, &chat("")).await;
    assert_eq!(body["usage"]["prompt_tokens"], 1);
}

#[tokio::test]
async fn the_same_prompt_gets_the_same_answer() {
    let openai = start().await;
    let first = complete(&openai, &chat("What is new?")).await.1;
    let second = complete(&openai, &chat("What is new?")).await.1;
    assert_eq!(first["choices"], second["choices"]);
}

#[tokio::test]
async fn a_stream_gives_the_same_text_in_pieces() {
    let openai = start().await;
    let mut body = chat("Stream this to me");
    let whole = complete(&openai, &body).await.1;
    body["stream"] = json!(true);
    let chunks = stream(&openai, &body).await;
    let mut text = String::new();
    for chunk in &chunks {
        assert_fits("CreateChatCompletionStreamResponse", chunk);
        assert_eq!(chunk.get("usage"), None);
        text.push_str(
            chunk["choices"][0]["delta"]["content"]
                .as_str()
                .unwrap_or_default(),
        );
    }
    assert_eq!(text, whole["choices"][0]["message"]["content"]);
    assert!(chunks.len() > 4, "{}", chunks.len());
    let last = chunks.last().expect("a chunk");
    assert_eq!(last["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn usage_ends_a_stream_when_it_is_asked_for() {
    let openai = start().await;
    let mut body = chat("Stream this to me");
    let whole = complete(&openai, &body).await.1;
    body["stream"] = json!(true);
    body["stream_options"] = json!({ "include_usage": true });
    let chunks = stream(&openai, &body).await;
    let (last, others) = chunks.split_last().expect("chunks");
    assert_fits("CreateChatCompletionStreamResponse", last);
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"], whole["usage"]);
    for chunk in others {
        assert_fits("CreateChatCompletionStreamResponse", chunk);
        assert_eq!(chunk.get("usage"), Some(&Value::Null));
    }
}

#[tokio::test]
async fn a_token_limit_cuts_the_answer() {
    let openai = start().await;
    let mut body = chat("one two three four five six seven eight nine ten");
    body["max_completion_tokens"] = json!(5);
    let (_, body) = complete(&openai, &body).await;
    assert_eq!(body["choices"][0]["finish_reason"], "length");
    assert!(
        body["usage"]["completion_tokens"]
            .as_u64()
            .expect("a number")
            <= 5
    );
}

#[tokio::test]
async fn data_decides_the_answer() {
    let openai = start().await;
    let mut body = chat("My INVOICE is wrong");
    body["messages"].as_array_mut().expect("messages").insert(
        0,
        json!({ "role": "system", "content": "You triage tickets." }),
    );
    let (_, body) = complete(&openai, &body).await;
    let content = body["choices"][0]["message"]["content"]
        .as_str()
        .expect("text");
    let answer: Value = serde_json::from_str(content).expect("JSON");
    assert_eq!(answer["category"], "billing");
}

#[tokio::test]
async fn own_answers_come_before_the_built_in_ones() {
    let answer = json!({ "promptContains": ["hi"], "outcome": { "content": "ours" } });
    let answers = vec![serde_json::from_value(answer).expect("an answer")];
    let openai = OpenAi::start(OpenAiOptions { port: 0, answers }).await;
    let (_, body) = complete(&openai.expect("start"), &chat("Hi [rate-limited]")).await;
    assert_eq!(body["choices"][0]["message"]["content"], "ours");
}

#[tokio::test]
async fn json_mode_gives_json() {
    let openai = start().await;
    let mut body = chat("Describe this");
    body["response_format"] = json!({ "type": "json_object" });
    let (_, body) = complete(&openai, &body).await;
    let content = body["choices"][0]["message"]["content"]
        .as_str()
        .expect("text");
    assert!(serde_json::from_str::<Value>(content).is_ok(), "{content}");
}

#[tokio::test]
async fn a_scripted_error_is_answered_with_its_retry_after() {
    let openai = start().await;
    let response = post(&openai, "chat/completions", &chat("[rate-limited]")).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()["retry-after"], "1");
    let body: Value = response.json().await.expect("JSON");
    assert_fits("ErrorResponse", &body);
    assert_eq!(body["error"]["code"], "rate_limit_exceeded");
}

#[tokio::test]
async fn an_outcome_with_a_count_is_used_up() {
    let openai = start().await;
    let first = complete(&openai, &chat("[overloaded-once]")).await;
    let second = complete(&openai, &chat("[overloaded-once]")).await;
    assert_eq!(first.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(second.0, StatusCode::OK);
}

#[tokio::test]
async fn bad_requests_are_refused_with_openais_error() {
    let openai = start().await;
    let messages = json!([{ "role": "user", "content": "hi" }]);
    for (body, param, code) in [
        (json!({ "messages": messages }), Value::Null, Value::Null),
        (
            json!({ "model": "m" }),
            json!("messages"),
            json!("missing_required_parameter"),
        ),
        (
            json!({ "model": "m", "messages": [] }),
            json!("messages"),
            json!("empty_array"),
        ),
        (
            json!({ "model": "m", "messages": "hi" }),
            json!("messages"),
            json!("invalid_type"),
        ),
        (
            json!({ "model": "m", "messages": [{ "role": "robot", "content": "hi" }] }),
            json!("messages[0].role"),
            json!("invalid_value"),
        ),
        (
            json!({ "model": "m", "messages": messages, "temprature": 1 }),
            json!("temprature"),
            json!("unknown_parameter"),
        ),
        (
            json!({ "model": "m", "messages": messages, "temperature": "hot" }),
            json!("temperature"),
            json!("invalid_value"),
        ),
    ] {
        let (status, answer) = complete(&openai, &body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert_fits("ErrorResponse", &answer);
        assert_eq!(answer["error"]["type"], "invalid_request_error");
        let error = &answer["error"];
        assert_eq!(
            (&error["param"], &error["code"]),
            (&param, &code),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn requests_with_tools_and_history_are_accepted() {
    let openai = start().await;
    let body = json!({
        "model": "gpt-4o",
        "messages": [
            { "role": "developer", "content": "Be brief." },
            { "role": "user", "content": [{ "type": "text", "text": "Weather?" }] },
            { "role": "assistant", "content": null, "tool_calls": [{
                "id": "call_1",
                "type": "function",
                "function": { "name": "weather", "arguments": "{}" },
            }] },
            { "role": "tool", "tool_call_id": "call_1", "content": "rain" },
        ],
        "tools": [{ "type": "function", "function": { "name": "weather", "parameters": {} } }],
        "temperature": 0.2,
        "max_tokens": 100,
        "stream": false,
        "user": "someone",
        "metadata": { "org": "1" },
    });
    let (status, answer) = complete(&openai, &body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

#[tokio::test]
async fn a_request_without_a_key_is_refused() {
    let openai = start().await;
    let url = format!("{}/chat/completions", openai.base_url());
    let response = client().post(url).json(&chat("hi")).send().await;
    let response = response.expect("an answer");
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_fits("ErrorResponse", &response.json().await.expect("JSON"));
    let response = post(&openai, "nowhere", &json!({})).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn requests_are_kept_in_order() {
    let openai = start().await;
    complete(&openai, &chat("first")).await;
    complete(&openai, &json!({ "model": "m" })).await;
    let requests = openai.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].path, "/v1/chat/completions");
    assert_eq!(requests[0].body, chat("first"));
}

#[tokio::test]
async fn models_fit_the_contract() {
    let openai = start().await;
    let request = client().get(format!("{}/models", openai.base_url()));
    let response = request.bearer_auth("sk-local").send().await;
    let body: Value = response.expect("an answer").json().await.expect("JSON");
    assert_fits("ListModelsResponse", &body);
}

#[tokio::test]
async fn speech_is_silence_whose_length_depends_on_the_text_and_the_speed() {
    let openai = start().await;
    let body = |text: &str, speed: f64| json!({ "model": "tts-1", "voice": "alloy", "input": text, "speed": speed });
    for (text, speed, frames) in [("x", 1.0, 3), ("Hello", 1.0, 14), ("Hello", 0.5, 27)] {
        let response = post(&openai, "audio/speech", &body(text, speed)).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "audio/mpeg");
        let audio = response.bytes().await.expect("audio");
        assert_eq!(audio.len(), frames * 24);
        for frame in audio.chunks(24) {
            assert_eq!(frame[..4], [0xff, 0xf3, 0x14, 0xc0]);
        }
    }
}

#[tokio::test]
async fn speech_that_openai_would_refuse_is_refused() {
    let openai = start().await;
    let body = json!({ "model": "tts-1", "voice": "alloy", "input": "Hello" });
    for (field, value, param) in [
        ("pitch", json!(1), "pitch"),
        ("speed", json!(4.5), "speed"),
        ("input", json!("x".repeat(4_097)), "input"),
        ("response_format", json!("ogg"), "response_format"),
    ] {
        let mut body = body.clone();
        body[field] = value;
        let response = post(&openai, "audio/speech", &body).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{field}");
        let answer: Value = response.json().await.expect("JSON");
        assert_fits("ErrorResponse", &answer);
        assert_eq!(answer["error"]["param"], param);
    }
    let body = json!({ "model": "tts-1", "voice": "alloy" });
    let response = post(&openai, "audio/speech", &body).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

async fn embed(openai: &OpenAi, body: &Value) -> Value {
    let response = post(openai, "embeddings", body).await;
    assert_eq!(response.status(), StatusCode::OK);
    response.json().await.expect("JSON")
}

fn vector(body: &Value, index: usize) -> Vec<f64> {
    let numbers = body["data"][index]["embedding"]
        .as_array()
        .expect("a vector");
    numbers
        .iter()
        .map(|x| x.as_f64().expect("a number"))
        .collect()
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[tokio::test]
async fn embeddings_are_unit_vectors_and_near_for_near_texts() {
    let openai = start().await;
    let texts = json!([
        "the cat sat",
        "a cat sat down",
        "quarterly revenue report",
        "!"
    ]);
    let body = json!({ "model": "text-embedding-3-small", "input": texts });
    let answer = embed(&openai, &body).await;
    assert_fits("CreateEmbeddingResponse", &answer);
    let vectors: Vec<Vec<f64>> = (0..4).map(|index| vector(&answer, index)).collect();
    for vector in &vectors {
        assert_eq!(vector.len(), 1536);
        assert!((cosine(vector, vector) - 1.0).abs() < 1e-5);
    }
    let near = cosine(&vectors[0], &vectors[1]);
    assert!(near > 0.3 && near > cosine(&vectors[0], &vectors[2]) + 0.2);
    assert_eq!(answer, embed(&openai, &body).await);
}

#[tokio::test]
async fn embeddings_obey_dimensions_and_encoding() {
    let openai = start().await;
    let body = json!({ "model": "text-embedding-3-large", "input": "hi", "dimensions": 8 });
    assert_eq!(vector(&embed(&openai, &body).await, 0).len(), 8);
    let mut body = body;
    body["encoding_format"] = json!("base64");
    let answer = embed(&openai, &body).await;
    let text = answer["data"][0]["embedding"].as_str().expect("base64");
    assert_eq!(text.len(), 44);
    for body in [
        json!({ "model": "m", "input": "" }),
        json!({ "model": "m" }),
        json!({ "input": "hi" }),
        json!({ "model": "m", "input": "hi", "dimension": 8 }),
        json!({ "model": "m", "input": 7 }),
    ] {
        let response = post(&openai, "embeddings", &body).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{body}");
        assert_fits("ErrorResponse", &response.json().await.expect("JSON"));
    }
}
