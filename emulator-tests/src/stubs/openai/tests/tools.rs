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

#[tokio::test]
async fn what_is_written_down_is_looked_up_and_quoted() {
    let openai = start().await;
    let tool = json!({ "name": "knowledge_search", "parameters": { "type": "object" } });
    let mut body = chat("How long does delivery take?");
    body["tools"] = json!([{ "type": "function", "function": tool }]);
    let system = "You answer from what the company has written down.";
    let messages = body["messages"].as_array_mut().expect("messages");
    messages.insert(0, json!({ "role": "system", "content": system }));
    let (_, asked) = complete(&openai, &body).await;
    let message = &asked["choices"][0]["message"];
    let call = &message["tool_calls"][0];
    assert_eq!(
        call["function"]["arguments"],
        r#"{"query":"How long does delivery take?"}"#
    );
    let hit = json!({ "cite": "[1]", "text": "Tea is sold. Delivery takes a week." });
    let told = json!({ "data": { "hits": [hit] } }).to_string();
    let messages = body["messages"].as_array_mut().expect("messages");
    messages.push(message.clone());
    messages.push(json!({ "role": "tool", "tool_call_id": call["id"], "content": told }));
    let (_, answered) = complete(&openai, &body).await;
    let content = &answered["choices"][0]["message"]["content"];
    assert_eq!(content, "Delivery takes a week. [1]");
}
