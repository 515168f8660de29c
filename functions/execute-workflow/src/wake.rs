//! Waking up executions: what they wait for has happened.

use shared::{
    models::Wakeup,
    queue::{Continuation, Task, Work},
    store::wakeups,
};

use crate::{
    AppState,
    journal::Error,
    run::{self, Advance},
};

/// Goes on with the execution, and deletes the wakeup once it has.
///
/// # Errors
/// Returns the database's error. Tells [`Advance::Busy`] while another worker is at the execution
/// and may have looked too early: then the wakeup is to be handled again.
pub(crate) async fn handle(state: &AppState, wakeup: &Wakeup) -> Result<Advance, Error> {
    let advance = run::advance(state, &wakeup.org_id, &wakeup.execution_id, true).await?;
    if advance == Advance::Done {
        state
            .store
            .commit(vec![wakeups::delete(&wakeup.id)])
            .await?;
    }
    Ok(advance)
}

/// Has the queue go on with the execution, which tries until no other worker is at it; then the
/// wakeup is not needed any more. One that cannot be handed in stays for the next tick.
pub(crate) async fn hand_in(state: &AppState, wakeup: &Wakeup) {
    let task = Task {
        name: format!("wakeup-{}", wakeup.id),
        work: Work::Continue(Continuation {
            org_id: wakeup.org_id.clone(),
            execution_id: wakeup.execution_id.clone(),
        }),
        due_at: None,
    };
    let result: Result<(), Box<dyn std::error::Error + Send + Sync>> = async {
        state.queue.enqueue(&task).await?;
        state
            .store
            .commit(vec![wakeups::delete(&wakeup.id)])
            .await?;
        Ok(())
    }
    .await;
    if let Err(error) = result {
        let error: &(dyn std::error::Error + 'static) = error.as_ref();
        tracing::warn!(execution.id = %wakeup.execution_id, error, "wakeup left to the next tick");
    }
}
