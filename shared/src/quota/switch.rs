use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::Error;
use crate::{
    clock::SharedClock,
    ids::OrgId,
    models::Timestamp,
    store::{self, Store},
};

/// How long a switch is kept in mind, in seconds: the longest time until it works everywhere.
const KEPT_SECS: i64 = 5;

/// The switches that refuse every call: for all, and for one organization.
#[derive(Clone)]
pub(super) struct Switches {
    is_off: bool,
    store: Store,
    clock: SharedClock,
    /// What was read, by organization, and when that is to be read again.
    seen: Arc<Mutex<HashMap<OrgId, (bool, Timestamp)>>>,
}

impl Switches {
    pub(super) fn new(is_off: bool, store: Store, clock: SharedClock) -> Self {
        Self {
            is_off,
            store,
            clock,
            seen: Arc::default(),
        }
    }

    /// Refuses a call that a switch is against.
    pub(super) async fn check(&self, org_id: &OrgId) -> Result<(), Error> {
        if self.is_off {
            return Err(Error::SwitchedOff);
        }
        let now = Timestamp::from(self.clock.now());
        let is_off = match self.remembered(org_id, now) {
            Some(is_off) => is_off,
            None => {
                let is_off = self.read(org_id).await?;
                self.remember(org_id, is_off, now);
                is_off
            }
        };
        match is_off {
            true => Err(Error::SwitchedOff),
            false => Ok(()),
        }
    }

    async fn read(&self, org_id: &OrgId) -> Result<bool, store::Error> {
        let switch = self.store.find_llm_switch();
        let quota = self.store.find_token_quota(org_id);
        let (switch, quota) = futures::try_join!(switch, quota)?;
        Ok(switch.is_off || quota.is_some_and(|quota| quota.value.is_blocked))
    }

    fn remembered(&self, org_id: &OrgId, now: Timestamp) -> Option<bool> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen.get(org_id).filter(|(_, until)| *until > now);
        seen.map(|(is_off, _)| *is_off)
    }

    fn remember(&self, org_id: &OrgId, is_off: bool, now: Timestamp) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, (_, until)| *until > now);
        let until = now.plus_seconds(KEPT_SECS);
        seen.insert(org_id.clone(), (is_off, until));
    }
}
