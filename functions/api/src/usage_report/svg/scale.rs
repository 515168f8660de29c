//! Numbers and how long they are.

use super::Measure;

/// Lines across the plot, at most, beside the one at the bottom.
const MAX_TICKS: i64 = 5;

/// From nothing to a round number.
pub(super) struct Scale {
    step: i64,
    most: i64,
}

impl Scale {
    pub(super) fn up_to(most: i64) -> Self {
        let most = most.max(1);
        let mut step: i64 = 1;
        // 1, 2, 5, 10, 20, 50 and so on.
        while most > step.saturating_mul(MAX_TICKS) && step < i64::MAX / 10 {
            step = match step.to_string().starts_with('2') {
                true => step / 2 * 5,
                false => step * 2,
            };
        }
        let most = most.div_euclid(step) + i64::from(most.rem_euclid(step) != 0);
        Self {
            step,
            most: most.saturating_mul(step),
        }
    }

    pub(super) fn ticks(&self) -> impl Iterator<Item = i64> {
        let step = self.step;
        (0..=self.most / step).map(move |number| number * step)
    }

    /// Which part of the whole a number is, from 0 to 1.
    pub(super) fn share(&self, number: i64) -> f64 {
        (float(number) / float(self.most)).clamp(0.0, 1.0)
    }
}

/// A number as people read it: `1.2k`, `3M`, `$0.05`.
pub(super) fn format(number: i64, measure: Measure) -> String {
    match measure {
        Measure::Tokens => short(number),
        Measure::Cost => {
            let cents = number.saturating_add(5_000) / 10_000;
            format!("${}.{:02}", cents / 100, cents % 100)
        }
    }
}

fn short(number: i64) -> String {
    let units = [
        (1_000_000_000_000, "T"),
        (1_000_000_000, "G"),
        (1_000_000, "M"),
        (1_000, "k"),
    ];
    let unit = units.into_iter().find(|(unit, _)| number >= *unit);
    match unit {
        None => number.to_string(),
        Some((unit, name)) => match number / (unit / 10) {
            tenths if tenths % 10 == 0 => format!("{}{name}", tenths / 10),
            tenths => format!("{}.{}{name}", tenths / 10, tenths % 10),
        },
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a picture is not exact beyond 2^53"
)]
pub(super) fn float(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_never_rounded_up() {
        let table = [
            (0, "0"),
            (999, "999"),
            (1_000, "1k"),
            (1_999, "1.9k"),
            (2_500_000, "2.5M"),
            (7_000_000_000, "7G"),
        ];
        for (number, expected) in table {
            assert_eq!(format(number, Measure::Tokens), expected);
        }
        assert_eq!(format(1_234_567, Measure::Cost), "$1.23");
        assert_eq!(format(4_000, Measure::Cost), "$0.00");
    }

    #[test]
    fn a_scale_is_round_and_holds_the_most() {
        for most in [0, 1, 5, 6, 17, 99, 101, 12_345, 999_999, i64::MAX / 20] {
            let scale = Scale::up_to(most);
            let ticks: Vec<i64> = scale.ticks().collect();
            assert!(ticks.len() <= 6, "{most}: {ticks:?}");
            assert!(*ticks.last().unwrap() >= most, "{most}: {ticks:?}");
        }
    }
}
