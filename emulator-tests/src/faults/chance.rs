//! Chance that a seed decides: the same seed rolls the same faults.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// A source of chance for one part of a run.
///
/// Each part has its own, so that what one part rolls does not depend on how fast another is.
#[derive(Clone, Debug)]
pub struct Chance {
    generator: Arc<Mutex<StdRng>>,
}

impl Chance {
    /// The chance that `seed` gives to `part`.
    #[must_use]
    pub fn new(seed: u64, part: &str) -> Self {
        let digest = Sha256::new()
            .chain_update(seed.to_be_bytes())
            .chain_update(part);
        let generator = StdRng::from_seed(digest.finalize().into());
        Self {
            generator: Arc::new(Mutex::new(generator)),
        }
    }

    /// A number below `bound`, and 0 for a bound of 0.
    #[must_use]
    pub fn below(&self, bound: usize) -> usize {
        self.generator().random_range(0..bound.max(1))
    }

    /// Whether something that happens in `per_mille` of 1,000 cases happens.
    #[must_use]
    pub fn happens(&self, per_mille: u32) -> bool {
        self.generator().random_range(0..1_000) < per_mille
    }

    /// A time within a range of milliseconds.
    #[must_use]
    pub fn millis(&self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.generator().random_range(range))
    }

    /// Puts items into another order.
    pub fn shuffle<T>(&self, items: &mut [T]) {
        items.shuffle(&mut *self.generator());
    }

    fn generator(&self) -> MutexGuard<'_, StdRng> {
        self.generator
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rolls(seed: u64, part: &str) -> Vec<usize> {
        let chance = Chance::new(seed, part);
        (0..20).map(|_| chance.below(1_000)).collect()
    }

    #[test]
    fn a_seed_rolls_the_same_again_and_another_one_does_not() {
        assert_eq!(rolls(1, "killer"), rolls(1, "killer"));
        assert_ne!(rolls(1, "killer"), rolls(2, "killer"));
        assert_ne!(rolls(1, "killer"), rolls(1, "sinks"));
    }
}
