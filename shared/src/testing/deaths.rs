use std::sync::Mutex;

use axum::response::Response;
use tokio::sync::Semaphore;

use super::lock;

/// The deaths of a fake's callers, as a test plans them.
pub(super) struct Deaths {
    /// How many requests are left before the one at which the caller dies, and whether that is
    /// carried out.
    planned: Mutex<Option<(usize, bool)>>,
    /// Requests whose caller is to die.
    fatal: Semaphore,
}

impl Default for Deaths {
    fn default() -> Self {
        Self {
            planned: Mutex::default(),
            fatal: Semaphore::new(0),
        }
    }
}

impl Deaths {
    /// Has the caller of the request of that number, counted from 0 and from now, die.
    pub(super) fn plan(&self, request: usize, is_carried_out: bool) {
        *lock(&self.planned) = Some((request, is_carried_out));
    }

    /// Counts a request; of one whose caller dies it tells whether it is carried out.
    pub(super) fn count(&self) -> Option<bool> {
        let mut planned = lock(&self.planned);
        match planned.as_mut() {
            Some((0, is_carried_out)) => {
                let is_carried_out = *is_carried_out;
                *planned = None;
                Some(is_carried_out)
            }
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        }
    }

    /// Tells that a caller is to die, and never answers it.
    pub(super) async fn strike(&self) -> Response {
        self.fatal.add_permits(1);
        std::future::pending().await
    }

    /// Ends when a caller is to die.
    pub(super) async fn wait(&self) {
        if let Ok(permit) = self.fatal.acquire().await {
            permit.forget();
        }
    }
}
