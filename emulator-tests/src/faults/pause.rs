//! Letting time pass, which is itself a fault here, and waiting for what must come.

use std::time::Duration;

use anyhow::{Context, Result};

/// Between two looks at something that is awaited.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Lets time pass.
#[expect(
    clippy::disallowed_methods,
    reason = "a fault at a random time is what the harness makes, no wait for something"
)]
pub(crate) async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Looks until there is something to see, for at most `patience`.
///
/// # Errors
/// Returns `what` did not come.
pub(crate) async fn until<T>(
    what: &'static str,
    patience: Duration,
    mut look: impl FnMut() -> Option<T>,
) -> Result<T> {
    let seen = async {
        loop {
            if let Some(seen) = look() {
                return seen;
            }
            pause(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(patience, seen)
        .await
        .with_context(|| format!("waited {} s in vain: {what}", patience.as_secs()))
}
