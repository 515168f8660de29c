use std::fmt;

use super::card::write_sign;
use crate::run_picture::{Node, layout::Point, outcome::State};

/// Width of a column in the legend's font, and of a sign with the space around it.
const COLUMN: f64 = 6.6;
const SIGN: f64 = 22.0;
const GAP: f64 = 20.0;
/// Length of an edge that is shown.
const EDGE: f64 = 30.0;

/// What the signs mean that are in the picture.
pub(super) struct Legend(Vec<State>);

impl Legend {
    pub(super) fn of(nodes: &[Node]) -> Self {
        let is_shown = |state: &State| {
            let mut outcomes = nodes.iter().filter_map(|node| node.outcome.as_ref());
            outcomes.any(|outcome| outcome.state == *state)
        };
        Self(State::ALL.into_iter().filter(is_shown).collect())
    }

    pub(super) fn width(&self) -> f64 {
        let states = self.0.iter().map(|state| SIGN + width(state.word()) + GAP);
        let edges = ["taken", "not taken"].map(|word| EDGE + 8.0 + width(word) + GAP);
        states.chain(edges).sum()
    }

    pub(super) fn write(&self, f: &mut fmt::Formatter<'_>, mut x: f64, y: f64) -> fmt::Result {
        for state in &self.0 {
            write_sign(f, *state, Point { x: x + 8.0, y }, 0.67)?;
            write_word(f, x + SIGN, y, state.word())?;
            x += SIGN + width(state.word()) + GAP;
        }
        let looks = [
            (
                "taken",
                r##"stroke="#1f2328" stroke-width="2.5" marker-end="url(#taken)""##,
            ),
            (
                "not taken",
                r##"stroke="#afb8c1" stroke-width="1.5" stroke-dasharray="5 4" marker-end="url(#open)""##,
            ),
        ];
        for (word, look) in looks {
            let end = x + EDGE;
            write!(
                f,
                r#"<path d="M{x:.1},{y:.1}H{end:.1}" fill="none" {look}/>"#
            )?;
            write_word(f, end + 8.0, y, word)?;
            x = end + 8.0 + width(word) + GAP;
        }
        Ok(())
    }
}

fn width(word: &str) -> f64 {
    f64::from(u32::try_from(word.len()).unwrap_or_default()) * COLUMN
}

fn write_word(f: &mut fmt::Formatter<'_>, x: f64, y: f64, word: &str) -> fmt::Result {
    let base = y + 4.0;
    write!(
        f,
        r##"<text x="{x:.1}" y="{base:.1}" font-size="12" fill="#57606a">{word}</text>"##
    )
}
