//! Word that this process is about to end, for work that should hand over instead.

use tokio_util::sync::CancellationToken;

/// Tells everybody who holds a copy that the process ends soon.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// One that has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells it to everybody; a repeat changes nothing.
    pub fn begin(&self) {
        self.0.cancel();
    }

    /// Whether the process ends soon.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until the process is about to end.
    pub async fn begun(&self) {
        self.0.cancelled().await;
    }
}
