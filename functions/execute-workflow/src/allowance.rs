//! What the model calls of a run that are under way may use together.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use shared::{models::Budget, quota::Use};
use tokio::sync::Notify;

use crate::node::Failure;

/// The part of a run's budget that calls hold, known by their idempotency keys. One worker makes all
/// calls of a run, so that it need not outlive the process.
pub(crate) struct Allowance {
    account: Mutex<Account>,
    has_changed: Notify,
}

struct Account {
    budget: Budget,
    /// Of calls under way the most that they can use, of others what they have used.
    held: HashMap<String, Use>,
    under_way: usize,
}

/// What a call may use, given back when the call ends without an answer.
pub(crate) struct Held<'a> {
    allowance: &'a Allowance,
    key: &'a str,
    used: Option<Use>,
}

impl Allowance {
    pub(crate) fn of(budget: &Budget) -> Self {
        Self {
            account: Mutex::new(Account {
                budget: budget.clone(),
                held: HashMap::new(),
                under_way: 0,
            }),
            has_changed: Notify::new(),
        }
    }

    /// Holds the most that a call can use. While that does not fit beside the calls under way, this
    /// waits for them; a call alone may begin as long as anything is left.
    ///
    /// # Errors
    /// Returns a [`Failure`] when nothing is left.
    pub(crate) async fn hold<'a>(
        &'a self,
        key: &'a str,
        ceiling: Use,
    ) -> Result<Held<'a>, Failure> {
        loop {
            let mut has_changed = std::pin::pin!(self.has_changed.notified());
            has_changed.as_mut().enable();
            if self.account().admit(key, ceiling)? {
                return Ok(Held {
                    allowance: self,
                    key,
                    used: None,
                });
            }
            has_changed.await;
        }
    }

    /// Takes over what the journal counts, now that it counts the call of this key.
    pub(crate) fn book(&self, key: &str, budget: &Budget) {
        let mut account = self.account();
        account.held.remove(key);
        account.budget = budget.clone();
        drop(account);
        self.has_changed.notify_waiters();
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held<'_> {
    /// The call has ended, and has used so much.
    pub(crate) fn end(mut self, used: Use) {
        self.used = Some(used);
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut account = self.allowance.account();
        account.under_way -= 1;
        match self.used {
            Some(used) => account.held.insert(self.key.to_owned(), used),
            None => account.held.remove(self.key),
        };
        drop(account);
        self.allowance.has_changed.notify_waiters();
    }
}

impl Account {
    /// Whether the call may begin now.
    fn admit(&mut self, key: &str, ceiling: Use) -> Result<bool, Failure> {
        let recorded = Use {
            tokens: self.budget.used_tokens,
            cost_micro_usd: self.budget.used_cost_micro_usd,
        };
        let used = self.held.values().fold(recorded, |sum, held| sum + *held);
        if self.exceeded_by(used + ceiling).is_some() {
            if self.under_way > 0 {
                return Ok(false);
            }
            let least = Use {
                tokens: 1,
                cost_micro_usd: 1,
            };
            if let Some(spent) = self.exceeded_by(used + least) {
                let message = format!("the run has used up its {spent}");
                return Err(Failure::permanent("limit_exceeded", message));
            }
        }
        self.held.insert(key.to_owned(), ceiling);
        self.under_way += 1;
        Ok(true)
    }

    fn exceeded_by(&self, total: Use) -> Option<&'static str> {
        let budget = &self.budget;
        let is_too_dear = |most| total.cost_micro_usd > most;
        if total.tokens > budget.max_tokens {
            Some("tokens")
        } else if budget.max_cost_micro_usd.is_some_and(is_too_dear) {
            Some("money")
        } else {
            None
        }
    }
}
