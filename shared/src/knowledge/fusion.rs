//! Reciprocal rank fusion: what several lists have far up comes first (Cormack, Clarke and Büttcher,
//! <https://plg.uwaterloo.ca/~gvcormac/cormacksigir09-rrf.pdf>).

use std::{collections::HashMap, hash::Hash};

/// How little the first places count more than the next: the paper's choice.
const K: f64 = 60.0;

/// One list of several, with the score of each item, best first. Of items with equal scores, those
/// come first that an earlier list has.
pub(super) fn fuse<T, I: Eq + Hash>(
    lists: impl IntoIterator<Item = Vec<T>>,
    id_of: impl Fn(&T) -> I,
) -> Vec<(T, f64)> {
    let mut fused: Vec<(T, f64)> = Vec::new();
    let mut places: HashMap<I, usize> = HashMap::new();
    for list in lists {
        let mut rank = K;
        for item in list {
            rank += 1.0;
            let place = *places.entry(id_of(&item)).or_insert(fused.len());
            match fused.get_mut(place) {
                Some((_, score)) => *score += 1.0 / rank,
                None => fused.push((item, 1.0 / rank)),
            }
        }
    }
    fused.sort_by(|(_, left), (_, right)| right.total_cmp(left));
    fused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_lists_have_comes_first() {
        let fused = fuse([vec!["a", "b", "c"], vec!["d", "c"]], |item| *item);
        let order: Vec<_> = fused.iter().map(|(item, _)| *item).collect();
        assert_eq!(order, ["c", "a", "d", "b"]);
        assert!((fused[0].1 - (1.0 / 63.0 + 1.0 / 62.0)).abs() < 1e-12);
    }
}
