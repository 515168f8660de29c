//! `llm`: one question to a language model.

use async_trait::async_trait;
use serde_json::{Value, json};
use shared::{
    graph::LlmData,
    ids::{AgentId, fingerprint},
    inputs::Bindings,
    llm::{ChatRequest, Delta, EmbeddingRequest, Message, OutputFormat, Pieces},
    models::{Use, Vector},
    quota::{self, Answer},
    retry::Transient,
};

use super::{Call, Effect, Failure, Outcome, Prepared, Stop, approval, draft::Drafting};
use crate::AppState;

/// Tokens an answer may take unless the node says otherwise.
pub(super) const DEFAULT_MAX_TOKENS: u32 = 1_024;

/// A question with its expressions resolved.
#[derive(Clone, Debug)]
pub(crate) struct LlmCall {
    /// The default model when absent.
    model: Option<String>,
    system: Option<String>,
    prompt: String,
    max_tokens: u32,
    temperature: Option<f64>,
    /// Whether the answer is parsed as JSON.
    json: bool,
}

pub(super) fn prepare(data: &LlmData, bindings: &Bindings) -> Result<Prepared, Failure> {
    let system = data
        .system
        .as_ref()
        .map(|system| system.render_text(bindings))
        .transpose()?;
    Ok(Prepared::Effect(Box::new(LlmCall {
        model: data.model.clone(),
        system,
        prompt: data.prompt.render_text(bindings)?,
        max_tokens: data.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS),
        temperature: data.temperature,
        json: data.json,
    })))
}

#[async_trait]
impl Effect for LlmCall {
    fn request_hash(&self) -> String {
        let model = self.model.as_deref().unwrap_or_default();
        fingerprint(&[
            "llm",
            model,
            self.system.as_deref().unwrap_or_default(),
            &self.prompt,
        ])
    }

    async fn perform(&self, state: &AppState, call: &Call) -> Result<Outcome, Stop> {
        let answer = ask(state, call, None, self.to_request(state)).await?;
        let used = answer.used();
        let response = answer.response;
        let mut output = json!({ "text": response.content, "model": response.model });
        if self.json {
            output["json"] = parse_answer(&response.content)
                .map_err(|failure| failure.having_used(used.tokens, used.cost_micro_usd))?;
        }
        Ok(Outcome {
            tokens: used.tokens,
            cost_micro_usd: used.cost_micro_usd,
            ..Outcome::of(output)
        })
    }
}

impl LlmCall {
    fn to_request(&self, state: &AppState) -> ChatRequest {
        let system = self.system.clone().map(Message::system);
        let model = self.model.clone();
        ChatRequest {
            model: model.unwrap_or_else(|| state.settings.default_model.clone()),
            messages: system
                .into_iter()
                .chain([Message::user(self.prompt.clone())])
                .collect(),
            max_output_tokens: self.max_tokens,
            temperature: self.temperature,
            output: match self.json {
                true => OutputFormat::JsonObject,
                false => OutputFormat::Text,
            },
            ..ChatRequest::default()
        }
    }
}

/// Asks a model on behalf of a run, within what the run may use.
pub(super) async fn ask(
    state: &AppState,
    call: &Call,
    agent_id: Option<&AgentId>,
    request: ChatRequest,
) -> Result<Answer, Stop> {
    let metered = metered(state, call, agent_id, request).await?;
    let ceiling = state.llm.ceiling(&metered).await.map_err(to_stop)?;
    let held = call.allowance.hold(&call.idempotency_key, ceiling).await?;
    let answer = state.llm.chat(&metered).await.map_err(to_stop)?;
    held.end(answer.used());
    Ok(answer)
}

/// The same, seen by those who watch the run while the model speaks.
pub(super) async fn ask_aloud(
    state: &AppState,
    call: &Call,
    agent_id: &AgentId,
    request: ChatRequest,
) -> Result<Answer, Stop> {
    let metered = metered(state, call, Some(agent_id), request).await?;
    let ceiling = state.llm.ceiling(&metered).await.map_err(to_stop)?;
    let held = call.allowance.hold(&call.idempotency_key, ceiling).await?;
    let mut stream = state.llm.stream(&metered).await.map_err(to_stop)?;
    let (mut pieces, mut draft) = (Pieces::default(), Drafting::of(state, call));
    let response = loop {
        let delta = match stream.next().await {
            Some(Ok(delta)) => delta,
            Some(Err(error)) => break Err(to_stop(error)),
            None => break Err(Failure::transient("unavailable", "the answer broke off").into()),
        };
        if let Delta::Text(text) = &delta {
            draft.add(text).await;
        }
        if let Some(response) = pieces.add(delta) {
            break Ok(response);
        }
    };
    draft.end().await;
    let answer = Answer {
        response: response?,
        cost_micro_usd: stream.cost_micro_usd(),
        is_cached: false,
    };
    held.end(answer.used());
    Ok(answer)
}

/// Where a text is in the space of the embedding model.
pub(super) struct Placed {
    pub(super) vector: Vector,
    pub(super) used: Use,
}

/// Places a text on behalf of an agent by the model that its memories are placed by.
pub(super) async fn embed_memory(
    state: &AppState,
    call: &Call,
    agent_id: &AgentId,
    text: String,
) -> Result<Placed, Stop> {
    let request = EmbeddingRequest {
        model: state.settings.embedding_model.clone(),
        inputs: vec![text],
        dimensions: Some(Vector::INDEXED_DIMENSION),
        idempotency_key: call.idempotency_key.clone(),
    };
    embed(state, call, Some(agent_id), request).await
}

/// Places one text, within what the run may use.
pub(super) async fn embed(
    state: &AppState,
    call: &Call,
    agent_id: Option<&AgentId>,
    request: EmbeddingRequest,
) -> Result<Placed, Stop> {
    let metered = to_metered(state, call, agent_id, request).await?;
    let ceiling = state.llm.embedding_ceiling(&metered);
    let ceiling = ceiling.await.map_err(to_stop)?;
    let held = call.allowance.hold(&call.idempotency_key, ceiling).await?;
    let answer = state.llm.embed(&metered).await.map_err(to_stop)?;
    let used = answer.used();
    held.end(used);
    let mut vectors = answer.response.vectors.into_iter();
    match vectors.next() {
        Some(vector) if vector.len() == Vector::INDEXED_DIMENSION as usize => Ok(Placed {
            vector: vector.into(),
            used,
        }),
        _ => {
            let message = "the embedding model makes no vectors of the length that is indexed";
            let failure = Failure::permanent("failed_precondition", message);
            Err(failure.having_used(used.tokens, used.cost_micro_usd).into())
        }
    }
}

async fn metered(
    state: &AppState,
    call: &Call,
    agent_id: Option<&AgentId>,
    request: ChatRequest,
) -> Result<quota::Call, Stop> {
    let request = ChatRequest {
        idempotency_key: call.idempotency_key.clone(),
        ..request
    };
    to_metered(state, call, agent_id, request).await
}

/// A call on behalf of a run, and of whoever started it: the run itself does not know, so that a
/// person can be forgotten while it goes on.
async fn to_metered<R>(
    state: &AppState,
    call: &Call,
    agent_id: Option<&AgentId>,
    request: R,
) -> Result<quota::Call<R>, Stop> {
    let execution = &call.execution;
    Ok(quota::Call {
        org_id: execution.org_id.clone(),
        agent_id: agent_id.cloned(),
        workflow_id: Some(execution.workflow_id.clone()),
        execution_id: Some(execution.id.clone()),
        uid: approval::starter(state, execution).await?,
        request,
    })
}

fn parse_answer(text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text)
        .map_err(|_| Failure::permanent("failed_precondition", "the model's answer is not JSON"))
}

pub(super) fn to_stop(error: quota::Error) -> Stop {
    let (is_transient, retry_after) = (error.is_transient(), error.retry_after());
    let may_have_happened = matches!(&error, quota::Error::Llm(error) if !error.is_unused());
    let (code, message) = match error {
        quota::Error::Store(error) => return Stop::Database(error),
        quota::Error::Exhausted { .. } => ("resource_exhausted", error.to_string()),
        quota::Error::Llm(error) => {
            let source = &error as &dyn std::error::Error;
            tracing::warn!(error = source, "the model did not answer");
            let code = if is_transient {
                "unavailable"
            } else {
                "failed_precondition"
            };
            (code, error.to_string())
        }
        error => ("failed_precondition", error.to_string()),
    };
    let failure = if is_transient {
        Failure::transient(code, message)
    } else {
        Failure::permanent(code, message)
    };
    let failure = failure.with_retry_after(retry_after);
    match may_have_happened {
        true => failure.perhaps_done().into(),
        false => failure.into(),
    }
}
