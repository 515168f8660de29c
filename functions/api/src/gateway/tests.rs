use serde_json::{Value, json};
use shared::llm::{
    ChatRequest, ChatResponse, Delta, FinishReason, Image, ImageDetail, ImageSource, OutputFormat,
    Part, Role, Tool, ToolCall, ToolChoice, Usage,
};

use super::*;

fn read(body: Value) -> Result<Asked, Problem> {
    let body: CompletionBody = serde_json::from_value(body).unwrap();
    body.read("key".to_owned())
}

fn with(more: Value) -> Value {
    let mut body = json!({ "model": "m", "messages": [{ "role": "user", "content": "Hello" }] });
    let more = more.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(more);
    body
}

fn request(more: Value) -> ChatRequest {
    read(with(more)).unwrap().request
}

fn field_of(more: Value) -> String {
    read(with(more)).unwrap_err().field
}

#[test]
fn a_plain_request_has_the_defaults() {
    let asked = read(with(json!({}))).unwrap();
    assert!(!asked.is_stream && !asked.tells_usage);
    let request = asked.request;
    assert_eq!((&*request.model, &*request.idempotency_key), ("m", "key"));
    assert_eq!(request.messages[0].text(), "Hello");
    assert_eq!(request.max_output_tokens, 4_096);
    assert_eq!((request.temperature, request.top_p), (None, None));
    assert_eq!(request.output, OutputFormat::Text);
    assert_eq!(request.tool_choice, ToolChoice::Auto);
}

#[test]
fn a_conversation_with_tools_and_images_is_read_whole() {
    let call = json!({ "id": "c1", "type": "function",
        "function": { "name": "look", "arguments": "{}" } });
    let url = "data:image/png;base64,AAAA";
    let messages = json!([
        { "role": "developer", "content": [{ "type": "text", "text": "Be brief." }] },
        { "role": "user", "content": [
            { "type": "text", "text": "What is it?" },
            { "type": "image_url", "image_url": { "url": url, "detail": "low" } },
            { "type": "image_url", "image_url": { "url": "https://example.com/a.png" } },
        ] },
        { "role": "assistant", "content": null, "refusal": null, "annotations": [],
          "tool_calls": [call] },
        { "role": "tool", "tool_call_id": "c1", "content": "a cat" },
    ]);
    let messages = request(json!({ "messages": messages })).messages;
    let roles: Vec<_> = messages.iter().map(|message| message.role).collect();
    assert_eq!(
        roles,
        [Role::System, Role::User, Role::Assistant, Role::Tool]
    );
    let data = Image {
        source: ImageSource::Data {
            media_type: "image/png".to_owned(),
            base64: "AAAA".to_owned(),
        },
        detail: Some(ImageDetail::Low),
    };
    assert_eq!(messages[1].parts[1], Part::Image(data));
    let address = "https://example.com/a.png".to_owned();
    assert_eq!(
        messages[1].parts[2],
        Part::Image(ImageSource::Url(address).into())
    );
    let result = Part::ToolResult {
        call_id: "c1".to_owned(),
        name: "look".to_owned(),
        content: "a cat".to_owned(),
    };
    assert_eq!(messages[3].parts, [result]);
}

#[test]
fn tools_formats_and_limits_are_read() {
    let function = json!({ "name": "look", "description": "d", "parameters": { "type": "object" },
            "strict": true });
    let more = json!({
        "tools": [{ "type": "function", "function": function }],
        "tool_choice": { "type": "function", "function": { "name": "look" } },
        "max_completion_tokens": 7, "max_tokens": 9,
        "temperature": 0.5, "top_p": 1, "stop": "END", "n": 1, "logprobs": false,
        "response_format": { "type": "json_schema",
            "json_schema": { "name": "s", "schema": { "type": "object" }, "strict": true } },
        "stream": true, "stream_options": { "include_usage": true },
        "user": "u", "seed": 1, "store": false, "metadata": {},
    });
    let asked = read(with(more)).unwrap();
    assert!(asked.is_stream && asked.tells_usage);
    let request = asked.request;
    let tool = Tool {
        name: "look".to_owned(),
        description: "d".to_owned(),
        parameters: json!({ "type": "object" }),
        strict: true,
    };
    assert_eq!(request.tools, [tool]);
    assert_eq!(request.tool_choice, ToolChoice::Named("look".to_owned()));
    assert_eq!(request.max_output_tokens, 7);
    assert_eq!(request.stop, ["END"]);
    let format = OutputFormat::JsonSchema {
        name: "s".to_owned(),
        schema: json!({ "type": "object" }),
        strict: true,
    };
    assert_eq!(request.output, format);
}

fn assert_refused(rows: impl IntoIterator<Item = (Value, &'static str)>) {
    for (more, field) in rows {
        assert_eq!(field_of(more), field);
    }
}

#[test]
fn messages_that_cannot_be_kept_are_refused_by_their_field() {
    let user = |content: Value| json!({ "messages": [{ "role": "user", "content": content }] });
    let image = |url: &str| json!([{ "type": "image_url", "image_url": { "url": url } }]);
    let tool = json!({ "role": "tool", "tool_call_id": "c9", "content": "x" });
    let system = json!({ "role": "system", "content": image("https://e.com/") });
    let address = "messages[0].content[0].image_url.url";
    assert_refused([
        (json!({ "messages": [] }), "messages"),
        (user(json!("")), "messages[0].content"),
        (user(image("http://example.com/a.png")), address),
        (user(image("data:image/svg+xml;base64,AA")), address),
        (json!({ "messages": [tool] }), "messages[0].tool_call_id"),
        (json!({ "messages": [system] }), "messages[0].content"),
    ]);
}

#[test]
fn settings_that_cannot_be_kept_are_refused_by_their_field() {
    assert_refused([
        (json!({ "model": "" }), "model"),
        (json!({ "model": "m".repeat(129) }), "model"),
        (json!({ "n": 2 }), "n"),
        (json!({ "max_tokens": 0 }), "max_tokens"),
        (
            json!({ "max_completion_tokens": 128_001 }),
            "max_completion_tokens",
        ),
        (json!({ "temperature": 2.1 }), "temperature"),
        (json!({ "top_p": -0.1 }), "top_p"),
        (json!({ "stop": ["a", "b", "c", "d", "e"] }), "stop"),
        (json!({ "frequency_penalty": 0.1 }), "frequency_penalty"),
        (json!({ "logprobs": true }), "logprobs"),
        (json!({ "modalities": ["audio"] }), "modalities"),
        (
            json!({ "parallel_tool_calls": false }),
            "parallel_tool_calls",
        ),
        (json!({ "service_tier": "flex" }), "service_tier"),
    ]);
}

#[test]
fn tools_and_formats_that_cannot_be_kept_are_refused_by_their_field() {
    let function = |name: &str| json!([{ "type": "function", "function": { "name": name } }]);
    let named = json!({ "type": "function", "function": { "name": "x" } });
    let schema = |value: Value| {
        let format = json!({ "type": "json_schema", "json_schema": value });
        json!({ "response_format": format })
    };
    assert_refused([
        (json!({ "tools": [{ "type": "custom" }] }), "tools[0]"),
        (
            json!({ "tools": function("a b") }),
            "tools[0].function.name",
        ),
        (json!({ "tool_choice": "required" }), "tool_choice"),
        (json!({ "tool_choice": "any" }), "tool_choice"),
        (json!({ "tool_choice": named }), "tool_choice"),
        (
            schema(json!({ "name": "a b", "schema": {} })),
            "response_format.json_schema.name",
        ),
        (
            schema(json!({ "name": "a" })),
            "response_format.json_schema.schema",
        ),
    ]);
}

#[test]
fn an_unheard_of_field_is_refused() {
    let body = serde_json::from_value::<CompletionBody>(with(json!({ "unheard_of": 1 })));
    assert!(body.err().unwrap().to_string().contains("unheard_of"));
}

fn used() -> Usage {
    Usage {
        input_tokens: 10,
        output_tokens: 5,
        cached_tokens: 4,
        reasoning_tokens: 2,
        ..Usage::default()
    }
}

fn now() -> shared::models::Timestamp {
    jiff::Timestamp::UNIX_EPOCH.into()
}

#[test]
fn an_answer_that_only_calls_tools_says_nothing() {
    let call = ToolCall {
        id: "c1".to_owned(),
        name: "look".to_owned(),
        arguments: "{}".to_owned(),
        ..ToolCall::default()
    };
    let response = ChatResponse {
        content: String::new(),
        tool_calls: vec![call],
        model: "m-1".to_owned(),
        usage: used(),
        finish_reason: FinishReason::ToolCalls,
    };
    let body = completion("id", now(), &response);
    let choice = &body["choices"][0];
    assert_eq!(choice["message"]["content"], Value::Null);
    assert_eq!(
        choice["message"]["tool_calls"][0]["function"]["name"],
        "look"
    );
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(body["usage"]["total_tokens"], 15);
    assert_eq!(body["usage"]["prompt_tokens_details"]["cached_tokens"], 4);
}

#[test]
fn a_stream_begins_with_who_speaks_and_ends_with_what_was_used() {
    let mut chunks = Chunks::new("id".to_owned(), now(), "m".to_owned(), true);
    let first = chunks.of(Delta::Text("Hi".to_owned()));
    assert_eq!(first[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(first[1]["choices"][0]["delta"]["content"], "Hi");
    let piece = ToolCall {
        arguments: "{".to_owned(),
        ..ToolCall::default()
    };
    let call = chunks.of(Delta::ToolCall { index: 1, piece }).remove(0);
    let call = &call["choices"][0]["delta"]["tool_calls"][0];
    assert_eq!(
        *call,
        json!({ "index": 1, "function": { "arguments": "{" } })
    );
    let end = chunks.of(Delta::End {
        model: "m-1".to_owned(),
        usage: used(),
        finish_reason: FinishReason::Length,
    });
    assert_eq!(end[0]["choices"][0]["finish_reason"], "length");
    assert_eq!(
        (&end[1]["choices"], &end[1]["usage"]["prompt_tokens"]),
        (&json!([]), &json!(10))
    );
}

#[test]
fn vectors_come_as_numbers_or_in_base64() {
    let body = |more: Value| {
        let mut body = json!({ "model": "m", "input": "text" });
        let more = more.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(more);
        let body: EmbeddingsBody = serde_json::from_value(body).unwrap();
        body.read("key".to_owned())
    };
    assert_eq!(
        body(json!({ "input": ["a", ""] })).unwrap_err().field,
        "input"
    );
    assert_eq!(
        body(json!({ "dimensions": 0 })).unwrap_err().field,
        "dimensions"
    );
    let odd = body(json!({ "encoding_format": "hex" })).unwrap_err();
    assert_eq!(odd.field, "encoding_format");
    let (request, is_base64) = body(json!({ "encoding_format": "base64" })).unwrap();
    assert_eq!((request.inputs, is_base64), (vec!["text".to_owned()], true));
    let response = shared::llm::EmbeddingResponse {
        vectors: vec![vec![1.0, -0.5]],
        model: "m".to_owned(),
        usage: used(),
    };
    let numbers = embeddings(&response, false);
    assert_eq!(numbers["data"][0]["embedding"], json!([1.0, -0.5]));
    let encoded = embeddings(&response, true);
    assert_eq!(encoded["data"][0]["embedding"], "AACAPwAAAL8=");
}
