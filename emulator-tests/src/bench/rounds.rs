//! What was measured in several rounds.

use std::collections::BTreeMap;

/// The cells of all rounds, by course in the order of their first, and by whom they are of.
#[derive(Debug)]
pub(super) struct Rounds<K, C>(Vec<(&'static str, BTreeMap<K, Vec<C>>)>);

impl<K: Ord, C> Rounds<K, C> {
    pub(super) fn add(&mut self, course: &'static str, key: K, cell: C) {
        let position = self.0.iter().position(|(name, _)| *name == course);
        let position = position.unwrap_or_else(|| {
            self.0.push((course, BTreeMap::new()));
            self.0.len() - 1
        });
        if let Some((_, cells)) = self.0.get_mut(position) {
            cells.entry(key).or_default().push(cell);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(&'static str, BTreeMap<K, Vec<C>>)> {
        self.0.iter()
    }
}

impl<K, C> Default for Rounds<K, C> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// The middle one of the samples, by `key`.
pub(super) fn middle<T, K: Ord>(mut samples: Vec<T>, key: impl FnMut(&T) -> K) -> Option<T> {
    samples.sort_by_key(key);
    let middle = samples.len() / 2;
    samples.into_iter().nth(middle)
}
