//! Beginning a node: skip it, end it at once, let it wait, or carry out its side effect.

use std::time::Duration;

use shared::{
    graph::{Node, NodeKind},
    models::{ExecutionError, LogKind, LogLevel, StepStatus, Timestamp},
    retry::{self, retry},
};

use super::{Decision, Run, label, settle::step_result};
use crate::{
    AppState,
    node::{self, Call, Effect, Failure, Outcome, Prepared, Stop},
};

/// No side effect is started later than this in one request: its retries and a last attempt of
/// 300 s still fit into the request's 590 s.
const START_WINDOW_SECS: i64 = 120;
/// Time for one attempt of an HTTP node that sets none.
const HTTP_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for one attempt of any other node that sets none.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// No attempt of a node begins later than this after its first.
const RETRY_BUDGET: Duration = Duration::from_secs(150);

/// A side effect that has come to an end.
pub(super) struct Finished {
    pub(super) node_id: String,
    pub(super) result: Result<Outcome, Stop>,
    pub(super) duration_ms: i64,
}

impl<'a> Run<'a> {
    pub(super) fn skip(&mut self, node: &Node) {
        self.journal
            .begin(&node.id, node.kind().as_str(), String::new(), None);
        let result = step_result(Outcome::default(), 0, self.journal.now(), None);
        self.journal.finish(&node.id, StepStatus::Skipped, result);
        let message = format!("{} skipped", label(node));
        self.journal.log(
            Some(&node.id),
            LogLevel::Info,
            LogKind::NodeSkipped,
            message,
        );
        self.decided.insert(node.id.clone(), Decision::Skipped);
    }

    pub(super) fn start(
        &mut self,
        node: &Node,
    ) -> Result<Option<impl Future<Output = Finished> + use<'a>>, ExecutionError> {
        self.check_budget(node)?;
        let resumed = self
            .journal
            .step(&node.id)
            .is_some_and(|s| s.intent.resume_at.is_some());
        let prepared = if resumed {
            Ok(Prepared::Done(Outcome::default()))
        } else {
            node::prepare(node, &self.graph, &self.bindings)
        };
        match prepared {
            Ok(Prepared::Effect(effect)) => Ok(self.start_effect(node, effect)),
            Ok(Prepared::Wait { duration }) => {
                self.start_wait(node, duration);
                Ok(None)
            }
            Ok(Prepared::Done(outcome)) => {
                self.begin(node, String::new(), None);
                self.settle(node, Ok(outcome), 0).map(|()| None)
            }
            Err(failure) => {
                self.begin(node, String::new(), None);
                self.settle(node, Err(failure), 0).map(|()| None)
            }
        }
    }

    pub(super) fn start_effect(
        &mut self,
        node: &Node,
        effect: Effect,
    ) -> Option<impl Future<Output = Finished> + use<'a>> {
        let window_ends = self.claimed_at.plus_seconds(START_WINDOW_SECS);
        if self.journal.now() > window_ends {
            return None;
        }
        self.begin(node, effect.request_hash(), None);
        let execution = self.journal.execution();
        let call = Call {
            org_id: execution.org_id.clone(),
            workflow_id: execution.workflow_id.clone(),
            execution_id: execution.id.clone(),
            idempotency_key: self.journal.idempotency_key(&node.id),
        };
        Some(perform(self.state, node.clone(), effect, call))
    }

    pub(super) fn start_wait(&mut self, node: &Node, duration: Duration) {
        let resume_at = self.journal.now().plus(duration);
        self.begin(node, String::new(), Some(resume_at));
    }

    pub(super) fn begin(
        &mut self,
        node: &Node,
        request_hash: String,
        resume_at: Option<Timestamp>,
    ) {
        if self
            .journal
            .step(&node.id)
            .is_some_and(|step| step.intent.resume_at.is_some())
        {
            return;
        }
        self.journal
            .begin(&node.id, node.kind().as_str(), request_hash, resume_at);
        let message = format!("{} started", label(node));
        self.journal.log(
            Some(&node.id),
            LogLevel::Info,
            LogKind::NodeStarted,
            message,
        );
    }
}

/// Carries out a side effect by the node's policy for retries and time.
async fn perform(state: &AppState, node: Node, effect: Effect, call: Call) -> Finished {
    let started_at = state.clock.now();
    let timeout = timeout_of(&node);
    let result = retry(retry_policy(&node), async || {
        let attempt = Box::pin(effect.perform(state, &call));
        match tokio::time::timeout(timeout, attempt).await {
            Ok(result) => result,
            Err(_) => {
                let message = "the node took too long";
                Err(Failure::transient("deadline_exceeded", message).into())
            }
        }
    })
    .await;
    let elapsed = state.clock.now().duration_since(started_at).as_millis();
    let duration_ms = i64::try_from(elapsed).unwrap_or(i64::MAX);
    Finished {
        node_id: node.id,
        result,
        duration_ms,
    }
}

fn timeout_of(node: &Node) -> Duration {
    match (node.policy.timeout_secs, node.kind()) {
        (Some(seconds), _) => Duration::from_secs(seconds.into()),
        (None, NodeKind::Http) => HTTP_TIMEOUT,
        (None, _) => DEFAULT_TIMEOUT,
    }
}

/// The node's policy; without one, a single attempt.
fn retry_policy(node: &Node) -> retry::Policy {
    let Some(policy) = node.policy.retry else {
        return retry::Policy::NEVER;
    };
    let (first, longest) = (policy.first_delay_ms, policy.max_delay_ms);
    let (first, longest) = (Duration::from_millis(first), Duration::from_millis(longest));
    retry::Policy::new(policy.attempts, first, longest, RETRY_BUDGET)
        .unwrap_or(retry::Policy::NEVER)
}
