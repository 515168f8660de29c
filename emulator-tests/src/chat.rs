//! A conversation with a deployed agent in the terminal.

use anyhow::{Context, Result, ensure};
use futures::StreamExt;
use reqwest::{Method, RequestBuilder, header::ACCEPT};
use serde_json::{Value, json};
use sse_stream::SseStream;

use crate::{Endpoints, client::Client, demo};

/// A person and an agent that answers it.
pub struct Chat {
    client: Client,
    agent_id: String,
    session_id: Option<String>,
}

/// Receives an answer, piece by piece.
pub type Tell<'a> = &'a mut dyn FnMut(&str);

/// What was seen of an answer.
#[derive(Default)]
struct Seen {
    execution_id: String,
    /// The last line of the log.
    line: Option<String>,
    /// Which question to the model the draft belongs to.
    question: String,
    draft: String,
    answer: Option<String>,
    status: String,
    is_over: bool,
}

impl Chat {
    /// Signs a new user up, and deploys an agent.
    ///
    /// # Errors
    /// Returns the first call that was refused.
    pub async fn begin(endpoints: &Endpoints) -> Result<Self> {
        let client = Client::sign_up(endpoints).await?;
        client.get("/me").await?;
        let agent_id = demo::create_agent(&client, &[], demo::SUPPORT).await?;
        let deploy = json!({ "agentId": agent_id });
        client.call("deployAgent", deploy).await?;
        Ok(Self {
            client,
            agent_id,
            session_id: None,
        })
    }

    /// The conversation, once something was said.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.session_id.as_deref()
    }

    /// The person.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The agent.
    #[must_use]
    pub fn agent_id(&self) -> &str {
        &self.agent_id
    }

    /// Says something, tells the agent's answer as it comes, and returns the whole.
    ///
    /// # Errors
    /// Returns why there is none.
    pub async fn say(&mut self, words: &str, tell: Tell<'_>) -> Result<String> {
        let mut message = json!({ "text": words });
        if let Some(id) = &self.session_id {
            message["sessionId"] = json!(id);
        }
        let path = format!("/agents/{}/messages", self.agent_id);
        let request = self.client.request(Method::POST, &path).json(&message);
        let mut seen = Seen::default();
        self.follow(request, &mut seen, tell).await?;
        // A stream is cut off after a while, and taken up where it was.
        while !seen.is_over {
            let path = format!("/executions/{}/stream", seen.execution_id);
            let request = self.client.request(Method::GET, &path);
            let request = match &seen.line {
                Some(line) => request.header("Last-Event-ID", line),
                None => request,
            };
            self.follow(request, &mut seen, tell).await?;
        }
        ensure!(seen.status == "succeeded", "the run {}", seen.status);
        let answer = seen.answer.context("the run has no answer")?;
        match answer.strip_prefix(&seen.draft) {
            Some(rest) => tell(rest),
            None => tell(&format!("\n{answer}")),
        }
        Ok(answer)
    }

    async fn follow(
        &mut self,
        request: RequestBuilder,
        seen: &mut Seen,
        tell: Tell<'_>,
    ) -> Result<()> {
        let response = request.header(ACCEPT, "text/event-stream").send().await?;
        let (status, path) = (response.status(), response.url().path().to_owned());
        if !status.is_success() {
            anyhow::bail!("{path} answered {status}: {}", response.text().await?);
        }
        let mut events = SseStream::from_bytes_stream(response.bytes_stream());
        while let Some(event) = events.next().await {
            let event = event?;
            let (Some(name), Some(data)) = (event.event, event.data) else {
                continue;
            };
            let data: Value = serde_json::from_str(&data)?;
            if name == "session" {
                self.session_id = data["sessionId"].as_str().map(str::to_owned);
            }
            seen.line = event.id.or(seen.line.take());
            seen.take(&name, &data, tell);
        }
        Ok(())
    }
}

impl Seen {
    fn take(&mut self, name: &str, data: &Value, tell: Tell<'_>) {
        let text = |field: &str| data[field].as_str().unwrap_or_default();
        match name {
            "session" => text("executionId").clone_into(&mut self.execution_id),
            "status" if text("status") == "waiting" => {
                tell("\n(waits for an approval)\n");
            }
            "delta" => self.add(
                text("iteration"),
                data["start"].as_u64(),
                text("text"),
                tell,
            ),
            "message" => self.answer = Some(text("text").to_owned()),
            "end" => {
                text("status").clone_into(&mut self.status);
                self.is_over = true;
            }
            _ => {}
        }
    }

    /// What comes anew from the beginning is told on a line of its own.
    fn add(&mut self, question: &str, start: Option<u64>, piece: &str, tell: Tell<'_>) {
        if self.question != question || start == Some(0) {
            if !self.draft.is_empty() {
                tell("\n");
            }
            question.clone_into(&mut self.question);
            self.draft.clear();
        }
        self.draft.push_str(piece);
        tell(piece);
    }
}
