//! Carrying out a side effect by its node's policy for retries and time.

use std::time::Duration;

use futures::future::BoxFuture;
use shared::{
    graph::{Node, NodeKind},
    retry::{self, retry},
};
use tracing::Instrument;

use super::plan::Place;
use crate::{
    AppState,
    fault_points::{Flaw, is_broken},
    node::{Call, Effect, Failure, Outcome, Stop},
    trace,
};

/// Time for one attempt of an HTTP node that sets none.
const HTTP_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for one attempt of any other node that sets none.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// No attempt of a node begins later than this after its first.
const RETRY_BUDGET: Duration = Duration::from_secs(150);

/// A side effect under way.
pub(super) type Performing<'a> = BoxFuture<'a, Finished>;

/// A side effect that has come to an end.
pub(super) struct Finished {
    pub(super) place: Place,
    pub(super) iteration: String,
    pub(super) idempotency_key: String,
    pub(super) result: Result<Outcome, Stop>,
    pub(super) duration_ms: i64,
}

/// Carries out a side effect, in as many attempts as it takes or may take.
pub(super) async fn perform(
    state: &AppState,
    place: Place,
    node: Node,
    effect: Box<dyn Effect>,
    call: Call,
    timeout: Duration,
) -> Finished {
    let started_at = state.clock.now();
    let span = trace::of_node(&node, &call);
    let result = retry(retry_policy(&node), async || {
        let attempt = attempt(&node, effect.as_ref(), state, &call);
        let result = match tokio::time::timeout(timeout, attempt).await {
            Ok(result) => result,
            Err(_) => {
                let message = "the node took too long";
                let failure = Failure::transient("deadline_exceeded", message);
                Err(failure.perhaps_done().into())
            }
        };
        result.map_err(insist_if_broken)
    })
    .instrument(span.clone())
    .await;
    trace::end_node(&span, &result);
    let elapsed = state.clock.now().duration_since(started_at).as_millis();
    Finished {
        place,
        iteration: call.iteration,
        idempotency_key: call.idempotency_key,
        result,
        duration_ms: i64::try_from(elapsed).unwrap_or(i64::MAX),
    }
}

/// One attempt. Our own database's failures are not the node's: they are tried again at once, if
/// the effect may be repeated.
async fn attempt(
    node: &Node,
    effect: &dyn Effect,
    state: &AppState,
    call: &Call,
) -> Result<Outcome, Stop> {
    let is_the_only_one = node.policy.at_most_once && !effect.asks_for_leave();
    let policy = match is_the_only_one {
        true => retry::Policy::NEVER,
        false => retry::Policy::REMOTE_CALL,
    };
    let result = retry(policy, async || match effect.perform(state, call).await {
        Err(Stop::Database(error)) => Err(error),
        result => Ok(result),
    });
    result.await.unwrap_or_else(|error| Err(error.into()))
}

/// A flaw of the fault tests: what is refused for good is tried again.
fn insist_if_broken(stop: Stop) -> Stop {
    match stop {
        Stop::Failed(failure) if is_broken(Flaw::RetryOn400) => {
            Failure::transient(failure.code, failure.message).into()
        }
        stop => stop,
    }
}

/// Time for one attempt.
pub(super) fn timeout_of(node: &Node) -> Duration {
    match (node.policy.timeout_secs, node.kind()) {
        (Some(seconds), _) => Duration::from_secs(seconds.into()),
        (None, NodeKind::Http) => HTTP_TIMEOUT,
        (None, _) => DEFAULT_TIMEOUT,
    }
}

/// The node's policy; without one, a single attempt.
fn retry_policy(node: &Node) -> retry::Policy {
    let Some(policy) = node.policy.retry else {
        return match is_broken(Flaw::RetryOn400) {
            true => retry::Policy::REMOTE_CALL,
            false => retry::Policy::NEVER,
        };
    };
    let (first, longest) = (policy.first_delay_ms, policy.max_delay_ms);
    let (first, longest) = (Duration::from_millis(first), Duration::from_millis(longest));
    retry::Policy::new(policy.attempts, first, longest, RETRY_BUDGET)
        .unwrap_or(retry::Policy::NEVER)
}
