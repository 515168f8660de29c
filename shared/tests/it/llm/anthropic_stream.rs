//! Anthropic's Messages in pieces.

use serde_json::{Value, json};
use shared::llm::{Delta, Error, FinishReason, ProviderName::Anthropic, ToolCall, Usage};

use super::{
    anthropic::{error, message, usage, used},
    fixtures::{call, request},
    server::{named_events, only_request, pieces, provider, server, stream, streamed},
};
use crate::contract::check_anthropic;

fn start() -> Value {
    json!({ "type": "message_start", "message": message(json!([]), None, 1) })
}

fn text(text: &str) -> Value {
    json!({
        "type": "content_block_delta",
        "index": 0,
        "delta": { "type": "text_delta", "text": text },
    })
}

/// The answer above, in pieces.
pub(super) fn answer_events() -> Vec<Value> {
    let block = |index: u64, block: Value| json!({ "type": "content_block_start", "index": index, "content_block": block });
    let stop = |index: u64| json!({ "type": "content_block_stop", "index": index });
    let tool_use = |id: &str| {
        json!({
            "type": "tool_use",
            "id": id,
            "name": "weather",
            "input": {},
            "caller": { "type": "direct" },
        })
    };
    let json_delta = |json: &str| {
        json!({
            "type": "content_block_delta",
            "index": 1,
            "delta": { "type": "input_json_delta", "partial_json": json },
        })
    };
    let mut usage = usage(7);
    usage["input_tokens"] = Value::Null;
    let delta = json!({
        "stop_reason": "tool_use",
        "stop_sequence": null,
        "stop_details": null,
        "container": null,
    });
    vec![
        start(),
        block(0, json!({ "type": "text", "text": "", "citations": null })),
        text("Co"),
        text("ld."),
        stop(0),
        block(1, tool_use("toolu_1")),
        json_delta(""),
        json_delta("{\"city\":"),
        json_delta("\"Oslo\"}"),
        stop(1),
        block(2, tool_use("toolu_2")),
        stop(2),
        json!({ "type": "message_delta", "delta": delta, "usage": usage }),
        json!({ "type": "message_stop" }),
    ]
}

#[tokio::test]
async fn the_stream_is_read_past_pings_and_new_events() {
    let mut events = answer_events();
    for event in &events {
        check_anthropic("MsgEvent", event).unwrap();
    }
    events.insert(1, json!({ "type": "ping" }));
    events.insert(3, json!({ "type": "invented", "index": 0 }));
    let pieces = pieces(Anthropic, streamed(named_events(&events))).await;
    let text = |text: &str| Delta::Text(text.to_owned());
    let begin = |index, id: &str| Delta::ToolCall {
        index,
        piece: call(id, ""),
    };
    let arguments = |index, arguments: &str| Delta::ToolCall {
        index,
        piece: ToolCall {
            arguments: arguments.to_owned(),
            ..ToolCall::default()
        },
    };
    let end = Delta::End {
        model: "claude-sonnet-5-5".to_owned(),
        usage: used(),
        finish_reason: FinishReason::ToolCalls,
    };
    // The events before its last tell what the message has used by then.
    let at_first = Delta::Usage(Usage {
        output_tokens: 1,
        ..used()
    });
    let expected = [
        at_first,
        text("Co"),
        text("ld."),
        begin(0, "toolu_1"),
        arguments(0, "{\"city\":"),
        arguments(0, "\"Oslo\"}"),
        begin(1, "toolu_2"),
        arguments(1, "{}"),
        Delta::Usage(used()),
        end,
    ];
    assert_eq!(pieces, expected);
}

#[tokio::test]
async fn a_stream_is_asked_for() {
    let server = server(streamed(named_events(&answer_events()))).await;
    let provider = provider(Anthropic, &server.uri());
    let _stream = provider.stream(&request()).await.unwrap();
    let body: Value = only_request(&server).await.body_json().unwrap();
    check_anthropic("MsgStreamReq", &body).unwrap();
    assert_eq!(body["stream"], true);
}

#[tokio::test]
async fn an_error_within_the_stream_has_an_unknown_outcome_once_it_began() {
    let overloaded = error("overloaded_error", "secret text");
    let events = [overloaded.clone()];
    let at_once = stream(Anthropic, streamed(named_events(&events)))
        .await
        .unwrap_err();
    assert!(matches!(at_once, Error::Unavailable { .. }), "{at_once:?}");
    let events = [start(), text("Co"), overloaded];
    let later = stream(Anthropic, streamed(named_events(&events)))
        .await
        .unwrap_err();
    assert!(matches!(later, Error::Interrupted(_)), "{later:?}");
    assert!(!format!("{later:?}").contains("secret text"), "{later:?}");
}

#[tokio::test]
async fn a_stream_that_ends_early_is_interrupted() {
    let mut events = answer_events();
    events.pop();
    let result = stream(Anthropic, streamed(named_events(&events))).await;
    assert!(matches!(result, Err(Error::Interrupted(_))), "{result:?}");
}
