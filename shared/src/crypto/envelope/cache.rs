use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use crate::{
    clock::SharedClock,
    crypto::{
        encryption_key::{DataKey, WrappedKey},
        message,
    },
};

/// How long a data key is kept, from when it was unwrapped and however often it is used: a version
/// that is disabled, or a service that may use the key no more, opens nothing after that.
const LIFETIME: SignedDuration = SignedDuration::from_mins(5);

/// How many data keys are kept; the oldest goes first.
const CAPACITY: usize = 1_024;

/// Which wrapped key it was, and what for.
pub(super) type Name = [u8; 32];

/// Data keys that were unwrapped a short while ago. What leaves it is wiped when its last user is
/// done.
pub(super) struct Cache {
    clock: SharedClock,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    keys: HashMap<Name, Arc<DataKey>>,
    /// From the oldest to the newest.
    ages: VecDeque<(Timestamp, Name)>,
}

impl Cache {
    pub(super) fn new(clock: SharedClock) -> Self {
        let entries = Mutex::default();
        Self { clock, entries }
    }

    pub(super) fn name(wrapped: &WrappedKey, associated_data: &[u8]) -> Name {
        let parts = [wrapped.version.as_bytes(), &wrapped.bytes, associated_data];
        Sha256::digest(message(&parts)).into()
    }

    pub(super) fn get(&self, name: &Name) -> Option<Arc<DataKey>> {
        self.with_entries(|entries, _| entries.keys.get(name).cloned())
    }

    pub(super) fn keep(&self, name: Name, data_key: Arc<DataKey>) {
        self.with_entries(|entries, now| {
            if entries.keys.insert(name, data_key).is_none() {
                entries.ages.push_back((now, name));
            }
            if entries.ages.len() > CAPACITY {
                entries.forget_oldest();
            }
        });
    }

    /// Whatever is too old is gone before `work` looks.
    fn with_entries<T>(&self, work: impl FnOnce(&mut Entries, Timestamp) -> T) -> T {
        let now = self.clock.now();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        while entries
            .ages
            .front()
            .is_some_and(|(since, _)| is_over(*since, now))
        {
            entries.forget_oldest();
        }
        work(&mut entries, now)
    }
}

impl Entries {
    fn forget_oldest(&mut self) {
        if let Some((_, name)) = self.ages.pop_front() {
            self.keys.remove(&name);
        }
    }
}

/// A clock that was set back must not lengthen anything.
fn is_over(since: Timestamp, now: Timestamp) -> bool {
    !(SignedDuration::ZERO..LIFETIME).contains(&now.duration_since(since))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use secrecy::ExposeSecret;

    use super::*;
    use crate::{clock::Clock, testing::FixedClock};

    fn cache() -> (FixedClock, Cache) {
        let clock = FixedClock::at("2026-11-26T12:00:00Z");
        (clock.clone(), Cache::new(clock.shared()))
    }

    fn name(number: usize) -> Name {
        Sha256::digest(number.to_be_bytes()).into()
    }

    fn key(byte: u8) -> Arc<DataKey> {
        Arc::new(DataKey::new(Box::new([byte; 32])))
    }

    #[test]
    fn a_key_is_kept_for_five_minutes_however_often_it_is_used() {
        let (clock, cache) = cache();
        cache.keep(name(1), key(1));
        for _ in 0..299 {
            clock.advance(Duration::from_secs(1));
            let kept = cache.get(&name(1)).unwrap();
            cache.keep(name(1), kept);
        }
        clock.advance(Duration::from_secs(1));
        assert!(cache.get(&name(1)).is_none());
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_nothing() {
        let clock = FixedClock::at("2026-11-26T12:00:00Z");
        assert!(is_over(
            clock.now(),
            clock.now() - SignedDuration::from_nanos(1)
        ));
        assert!(!is_over(clock.now(), clock.now()));
    }

    #[test]
    fn the_oldest_key_makes_room_and_is_let_go() {
        let (_, cache) = cache();
        let first = key(1);
        cache.keep(name(0), first.clone());
        for number in 1..=CAPACITY {
            assert!(Arc::strong_count(&first) == 2, "{number}");
            cache.keep(name(number), key(2));
        }
        assert_eq!(Arc::strong_count(&first), 1);
        assert!(cache.get(&name(0)).is_none());
        let last = cache.get(&name(CAPACITY)).unwrap();
        assert_eq!(last.expose_secret(), &[2; 32]);
    }

    #[test]
    fn a_wrapped_key_has_another_name_in_another_place_or_version() {
        let wrapped = |version: &str, bytes: &[u8]| WrappedKey {
            version: version.to_owned(),
            bytes: bytes.to_vec(),
        };
        let names = [
            Cache::name(&wrapped("1", b"ab"), b"c"),
            Cache::name(&wrapped("1", b"a"), b"bc"),
            Cache::name(&wrapped("1a", b"b"), b"c"),
            Cache::name(&wrapped("1", b"ab"), b"d"),
        ];
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
    }
}
