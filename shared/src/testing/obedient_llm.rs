use async_trait::async_trait;
use serde_json::Value;

use super::{Said, ScriptedLlm};
use crate::llm::{
    ChatRequest, ChatResponse, EmbeddingRequest, EmbeddingResponse, Error, Message, Part, Provider,
};

/// How an instruction begins that the model follows, wherever it stands: `CALL tool {arguments}` up
/// to the end of the line.
const CALL: &str = "CALL ";

/// A model that has been taken over: it does whatever any text that it is shown tells it to do, each
/// thing once, and says `done` at last.
pub struct ObedientLlm(ScriptedLlm);

impl Default for ObedientLlm {
    fn default() -> Self {
        Self(ScriptedLlm::acting(|request| Ok(obey(request))).embedding())
    }
}

impl ObedientLlm {
    /// The requests so far, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<ChatRequest> {
        self.0.requests()
    }
}

#[async_trait]
impl Provider for ObedientLlm {
    async fn chat(&self, request: &ChatRequest) -> Result<ChatResponse, Error> {
        self.0.chat(request).await
    }

    async fn embed(&self, request: &EmbeddingRequest) -> Result<EmbeddingResponse, Error> {
        self.0.embed(request).await
    }
}

fn obey(request: &ChatRequest) -> Said {
    let parts = || request.messages.iter().flat_map(|message| &message.parts);
    let is_done = |name: &str, arguments: &str| {
        parts().any(|part| {
            matches!(part, Part::ToolCall(call) if call.name == name && call.arguments == arguments)
        })
    };
    let texts = request.messages.iter().map(told).collect::<Vec<_>>();
    let orders = texts.iter().flat_map(|text| text.lines());
    let mut orders = orders.filter_map(|line| {
        let order = line.split_once(CALL)?.1;
        order.split_once(' ').or(Some((order, "{}")))
    });
    let next = orders.find(|(name, arguments)| !is_done(name, arguments));
    match next {
        Some((name, arguments)) => Said::calling(name, &arguments),
        None => "done".into(),
    }
}

/// All that a message shows, each text in results of tools for itself.
fn told(message: &Message) -> String {
    let mut texts = Vec::new();
    for part in &message.parts {
        match part {
            Part::Text(text) => texts.push(text.clone()),
            Part::ToolResult { content, .. } => match serde_json::from_str(content) {
                Ok(result) => collect(&result, &mut texts),
                Err(_) => texts.push(content.clone()),
            },
            Part::Image(_) | Part::ToolCall(_) => {}
        }
    }
    texts.join("\n")
}

fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(fields) => fields.values().for_each(|field| collect(field, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
