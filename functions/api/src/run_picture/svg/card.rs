use std::fmt::{self, Write};

use super::{colour, escape::Escaped};
use crate::run_picture::{
    Node,
    layout::{HEIGHT, Point, WIDTH},
    outcome::{Outcome, State},
    text,
};

/// Columns that fit beside the sign, and below it.
const LABEL_COLUMNS: usize = 19;
const OUTCOME_COLUMNS: usize = 33;

/// A node's box.
pub(super) struct Card<'p> {
    pub(super) node: &'p Node,
    pub(super) corner: &'p Point,
}

impl Card<'_> {
    pub(super) fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Point { x, y } = self.corner;
        write!(f, r#"<g transform="translate({x:.1},{y:.1})">"#)?;
        self.write_title(f)?;
        match &self.node.outcome {
            Some(outcome) => self.write_outcome(f, outcome)?,
            None => self.write_plain(f)?,
        }
        f.write_str("</g>")
    }

    /// What a reader sees who points at the box: nothing is cut off.
    fn write_title(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Node { label, kind, .. } = self.node;
        write!(f, "<title>{} ({})", Escaped(label), Escaped(kind))?;
        if let Some(outcome) = &self.node.outcome {
            write!(f, ": {}", text::outcome(outcome).join(", "))?;
        }
        f.write_str("</title>")
    }

    fn write_outcome(&self, f: &mut fmt::Formatter<'_>, outcome: &Outcome) -> fmt::Result {
        let look = colour::of_state(outcome.state);
        let is_faint = matches!(outcome.state, State::Skipped | State::Pending);
        let dashes = if is_faint {
            r#" stroke-dasharray="5 4""#
        } else {
            ""
        };
        write!(
            f,
            r#"<rect width="{WIDTH}" height="{HEIGHT}" rx="10" fill="{}" stroke="{}" stroke-width="1.5"{dashes}/>"#,
            look.faint, look.strong
        )?;
        write_sign(f, outcome.state, Point { x: 25.0, y: 27.0 }, 1.0)?;
        self.write_names(f, 21.0, is_faint)?;
        let parts = text::shorten(&text::outcome(outcome).join(" · "), OUTCOME_COLUMNS);
        let colour = if is_faint { "#57606a" } else { look.strong };
        write!(
            f,
            r#"<text x="14" y="64" font-size="11.5" fill="{colour}">{}</text>"#,
            Escaped(&parts)
        )
    }

    fn write_plain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colour = colour::of_kind(&self.node.kind);
        let initial: String = self.node.kind.chars().take(1).collect();
        write!(
            f,
            r##"<rect width="{WIDTH}" height="{HEIGHT}" rx="10" fill="#ffffff" stroke="#d0d7de" stroke-width="1.5"/><circle cx="25" cy="38" r="12" fill="{colour}"/><text x="25" y="42.5" font-size="12.5" font-weight="600" fill="#ffffff" text-anchor="middle">{}</text>"##,
            Escaped(&initial.to_uppercase())
        )?;
        self.write_names(f, 32.0, false)
    }

    fn write_names(&self, f: &mut fmt::Formatter<'_>, top: f64, is_faint: bool) -> fmt::Result {
        let colour = if is_faint { "#57606a" } else { "#1f2328" };
        write!(
            f,
            r##"<text x="46" y="{top}" font-size="10.5" letter-spacing="0.3" fill="#57606a">{}</text><text x="46" y="{}" font-size="14" font-weight="600" fill="{colour}">{}</text>"##,
            Escaped(&text::shorten(&self.node.kind, LABEL_COLUMNS)),
            top + 17.0,
            Escaped(&text::shorten(&self.node.label, LABEL_COLUMNS)),
        )
    }
}

/// The sign of a state.
pub(super) fn write_sign(f: &mut impl Write, state: State, at: Point, scale: f64) -> fmt::Result {
    let look = colour::of_state(state);
    let Point { x, y } = at;
    let fill = if state == State::Running {
        "#ffffff"
    } else {
        "none"
    };
    write!(
        f,
        r##"<g transform="translate({x:.1},{y:.1}) scale({scale})"><circle r="12" fill="{}"/><path d="{}" fill="{fill}" stroke="#ffffff" stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round"/></g>"##,
        look.strong, look.sign
    )
}
