use super::*;

/// Asks for something that a tool would tell.
fn weather() -> Value {
    let parameters = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    let tool = json!({ "name": "get_weather", "parameters": parameters });
    let mut body = chat("What is the weather in Paris?");
    body["tools"] = json!([{ "type": "function", "function": tool }]);
    body
}

#[tokio::test]
async fn a_tool_that_is_offered_is_called_until_its_result_is_there() {
    let openai = start().await;
    let (_, body) = complete(&openai, &weather()).await;
    assert_fits("CreateChatCompletionResponse", &body);
    let choice = &body["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!(call["function"]["arguments"], r#"{"city":"Paris"}"#);
    let mut streamed = weather();
    streamed["stream"] = json!(true);
    let mut arguments = String::new();
    for chunk in stream(&openai, &streamed).await {
        assert_fits("CreateChatCompletionStreamResponse", &chunk);
        let call = &chunk["choices"][0]["delta"]["tool_calls"][0];
        arguments += call["function"]["arguments"].as_str().unwrap_or_default();
    }
    assert_eq!(arguments, r#"{"city":"Paris"}"#);
    let mut told = weather();
    let messages = told["messages"].as_array_mut().expect("messages");
    messages.push(choice["message"].clone());
    messages.push(json!({ "role": "tool", "tool_call_id": call["id"], "content": "Sunny" }));
    let (_, body) = complete(&openai, &told).await;
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    let (_, body) = complete(&openai, &chat("What is the weather in Paris?")).await;
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
}
