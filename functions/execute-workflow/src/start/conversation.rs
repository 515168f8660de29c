//! The workflow of a conversation, which nobody draws: a message begins it, the agent answers.

use serde_json::{Value, json};

/// The id of the node in which the agent thinks.
const AGENT: &str = "agent";

/// The nodes. The payload says which agent, which conversation and what was said.
pub(super) fn nodes() -> Vec<Value> {
    let agent = json!({
        "agentId": "${trigger.agentId}",
        "session": "${trigger.sessionId}",
        "prompt": "${trigger.text}",
        "maxTokens": 4_096,
        "timeoutSecs": 300,
        "retry": { "attempts": 3 },
    });
    let output = json!({ "value": format!("${{nodes.{AGENT}.output}}") });
    vec![
        node("message", "trigger", 0, &json!({})),
        node(AGENT, "agent", 1, &agent),
        node("answer", "output", 2, &output),
    ]
}

/// The edges between them.
pub(super) fn edges() -> Vec<Value> {
    vec![edge("message", AGENT), edge(AGENT, "answer")]
}

fn node(id: &str, kind: &str, column: i32, data: &Value) -> Value {
    json!({ "id": id, "type": kind, "position": { "x": column * 240, "y": 0 }, "data": data })
}

fn edge(source: &str, target: &str) -> Value {
    json!({ "id": format!("{source}-{target}"), "source": source, "target": target })
}
