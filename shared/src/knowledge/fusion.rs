//! One list of what was found by words and by meaning: a weighted sum of both scores, each brought to
//! a range from 0 to 1 (Bruch, Gai and Ingber, An Analysis of Fusion Functions for Hybrid Retrieval,
//! <https://arxiv.org/abs/2210.11934>). Ranks alone do not tell how much better the first is than the
//! second: most of what shares a word with a question does not answer it.

/// What words count, of one; `docs/benchmarks.md` tells what was measured.
const WORDS: f64 = 0.25;

/// What there is to tell of a chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signs {
    /// The cosine of the angle to the query's vector.
    pub(super) cosine: f64,
    /// The share of the query's terms that it has, by weight.
    pub(super) words: f64,
    /// It has all that the query asks for, or all its numbers: that comes before whatever is near.
    pub(super) is_exact: bool,
}

/// The cosines from the farthest to the nearest of what was found by meaning: how wide they spread
/// depends on the model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread {
    farthest: f64,
    nearest: f64,
}

impl Spread {
    pub(super) fn of(cosines: impl Iterator<Item = f64>) -> Self {
        let none = Self {
            farthest: f64::INFINITY,
            nearest: f64::NEG_INFINITY,
        };
        cosines.fold(none, |spread, cosine| Self {
            farthest: spread.farthest.min(cosine),
            nearest: spread.nearest.max(cosine),
        })
    }

    /// Where a cosine is within the spread: 0 for what is farther, 1 for the nearest. Where nothing was
    /// found by meaning, nothing is near.
    fn place(self, cosine: f64) -> f64 {
        let width = self.nearest - self.farthest;
        if width > 0.0 {
            ((cosine - self.farthest) / width).clamp(0.0, 1.0)
        } else {
            f64::from(width == 0.0 && cosine >= self.nearest)
        }
    }
}

/// How well a chunk fits, from 0 to 2.
pub(super) fn score(spread: Spread, signs: Signs) -> f64 {
    let meaning = spread.place(signs.cosine);
    (1.0 - WORDS) * meaning + WORDS * signs.words + f64::from(signs.is_exact)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(spread: Spread, cosine: f64, words: f64, is_exact: bool) -> f64 {
        let signs = Signs {
            cosine,
            words,
            is_exact,
        };
        score(spread, signs)
    }

    #[test]
    fn a_score_tells_how_much_nearer_one_is_than_another() {
        for shift in [0.0, 0.5] {
            let cosines = [0.4, 0.3, 0.2].map(|cosine| cosine + shift);
            let spread = Spread::of(cosines.into_iter());
            let scores = cosines.map(|cosine| scored(spread, cosine, 0.0, false));
            assert!((scores[0] - 0.75).abs() < 1e-9, "{scores:?}");
            assert!((scores[1] - 0.375).abs() < 1e-9, "{scores:?}");
            assert!(scores[2].abs() < 1e-9, "{scores:?}");
            assert!(scored(spread, 0.1, 0.0, false).abs() < 1e-9);
        }
    }

    #[test]
    fn words_decide_between_what_is_equally_near_and_exact_ones_in_any_case() {
        let spread = Spread::of([0.5, 0.1].into_iter());
        let [near, far] = [0.5, 0.1];
        assert!(scored(spread, near, 0.2, false) > scored(spread, near, 0.1, false));
        assert!(scored(spread, near, 0.1, false) > scored(spread, far, 0.9, false));
        assert!(scored(spread, far, 0.1, true) > scored(spread, near, 0.9, false));
    }

    #[test]
    fn what_is_alone_or_not_near_has_a_score() {
        let alone = Spread::of([0.3].into_iter());
        assert!((scored(alone, 0.3, 0.0, false) - 0.75).abs() < 1e-9);
        let none = Spread::of(std::iter::empty());
        assert!((scored(none, 0.1, 1.0, false) - 0.25).abs() < 1e-9);
    }
}
