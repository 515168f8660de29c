//! The demo: sign up, deploy an agent, run a workflow, see its output.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::{Endpoints, client::Client};

/// The workflow that runs unless another is named.
pub const DEFAULT_WORKFLOW: &str = include_str!("../../examples/support-triage.json");
/// Its input.
pub const DEFAULT_INPUT: &str = r#"{
    "subject": "Charged twice",
    "body": "I was charged twice for my invoice this month. Please refund one of the payments."
}"#;

/// What the agents of the demo and of the chat are told.
pub(crate) const SUPPORT: &str = "You sort the support mail of a small software company.";

/// Steps that the progress bar counts.
const STEPS: u64 = 6;
/// Pause between two looks at the log.
const POLL: Duration = Duration::from_millis(50);

/// What a run came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The execution's id.
    pub execution_id: String,
    /// The status it ended with.
    pub status: String,
    /// Its output, `null` unless it succeeded.
    pub output: Value,
    /// A Mermaid flowchart of what ran.
    pub picture: String,
}

/// Receives what the demo has to tell, line by line.
pub type Tell<'a> = &'a mut dyn FnMut(&str);

/// Runs `workflow` (a ReactFlow file's content) with `input` as a new user.
///
/// # Errors
/// Returns the first call that was refused.
pub async fn run(
    endpoints: &Endpoints,
    workflow: &Value,
    input: Value,
    tell: Tell<'_>,
) -> Result<Outcome> {
    let progress = ProgressBar::new(STEPS)
        .with_style(ProgressStyle::with_template("{bar:24} {pos}/{len} {msg}")?);
    let client = Client::sign_up(endpoints).await?;
    let me = client.get("/me").await?;
    step(
        &progress,
        tell,
        &format!("signed up; organization {}", text(&me, "organizationId")?),
    );
    let agent_id = create_agent(&client, &[], SUPPORT).await?;
    step(&progress, tell, &format!("agent {agent_id} created"));
    let deployed = client
        .call("deployAgent", json!({ "agentId": agent_id }))
        .await?;
    step(
        &progress,
        tell,
        &format!("agent deployed: {}", text(&deployed, "status")?),
    );
    let workflow_id = create_workflow(&client, workflow).await?;
    step(&progress, tell, &format!("workflow {workflow_id} saved"));
    let execution_id = trigger(&client, &workflow_id, with_agent(input, &agent_id)).await?;
    step(
        &progress,
        tell,
        &format!("execution {execution_id} started"),
    );
    let execution = follow(&client, &execution_id, tell).await?;
    let status = text(&execution, "status")?.to_owned();
    step(&progress, tell, &format!("execution {status}"));
    progress.finish_and_clear();
    let picture = client
        .get_text(&format!("/executions/{execution_id}/graph.mmd"))
        .await?;
    let output = execution.get("output").cloned().unwrap_or_default();
    if status != "succeeded" {
        tell(&format!("error: {}", execution["error"]));
    }
    Ok(Outcome {
        execution_id,
        status,
        output,
        picture,
    })
}

/// Creates an agent that may use `tools` and is told this.
pub(crate) async fn create_agent(
    client: &Client,
    tools: &[&str],
    system_prompt: &str,
) -> Result<String> {
    let agent = json!({
        "name": "Ada",
        "type": "custom",
        "industry": "tech",
        "personality": { "empathy": 0.8, "confidence": 0.7, "style": "friendly and brief" },
        "voiceConfig": { "model": "alloy", "speed": 1.0, "pitch": 0.0 },
        "memoryDepth": "session",
        "tools": tools,
        "systemPrompt": system_prompt,
    });
    let created = client.post("/agents/create", &agent).await?;
    Ok(text(&created, "id")?.to_owned())
}

/// Saves a ReactFlow file's content as an active workflow.
pub(crate) async fn create_workflow(client: &Client, workflow: &Value) -> Result<String> {
    // A ReactFlow export has more, such as `viewport`, which belongs to the canvas.
    let fields = ["name", "description", "nodes", "edges", "triggers"];
    let known = fields
        .into_iter()
        .filter_map(|field| Some((field, workflow.get(field)?.clone())));
    let mut body: Value = known.collect();
    body["active"] = json!(true);
    let created = client.post("/workflows", &body).await?;
    Ok(text(&created, "id")?.to_owned())
}

async fn trigger(client: &Client, workflow_id: &str, payload: Value) -> Result<String> {
    let path = format!("/workflows/trigger/{workflow_id}");
    let started = client.post(&path, &json!({ "payload": payload })).await?;
    Ok(text(&started, "executionId")?.to_owned())
}

/// The examples name the agent in their input, because its id is new each time.
fn with_agent(mut input: Value, agent_id: &str) -> Value {
    if let Value::Object(fields) = &mut input {
        fields.entry("agentId").or_insert_with(|| json!(agent_id));
    }
    input
}

/// Tells the log lines as they come, until the execution has ended.
pub(crate) async fn follow(client: &Client, execution_id: &str, tell: Tell<'_>) -> Result<Value> {
    let mut interval = tokio::time::interval(POLL);
    let mut last_seq = 0;
    loop {
        interval.tick().await;
        // The status is read first: the last lines are committed together with it.
        let execution = client.get(&format!("/executions/{execution_id}")).await?;
        let path = format!("/executions/{execution_id}/logs?after={last_seq}&limit=100");
        let logs = client.get(&path).await?;
        let lines = logs["items"]
            .as_array()
            .context("no log lines in the answer")?;
        for line in lines {
            last_seq = line["seq"].as_i64().context("a log line has no number")?;
            tell(&format!("  {last_seq:>3} {}", text(line, "message")?));
        }
        match text(&execution, "status")? {
            "queued" | "running" | "waiting" => {}
            "succeeded" | "failed" | "cancelled" if lines.is_empty() => return Ok(execution),
            "succeeded" | "failed" | "cancelled" => {}
            other => bail!("unknown status `{other}`"),
        }
    }
}

fn step(progress: &ProgressBar, tell: Tell<'_>, message: &str) {
    progress.set_message(message.to_owned());
    progress.inc(1);
    progress.suspend(|| tell(message));
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field]
        .as_str()
        .with_context(|| format!("no `{field}` in {value}"))
}
