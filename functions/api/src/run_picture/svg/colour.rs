use crate::run_picture::outcome::State;

/// How a state looks.
pub(super) struct Look {
    /// Of its sign and the box's border.
    pub(super) strong: &'static str,
    /// Of the box.
    pub(super) faint: &'static str,
    /// White lines on a disc of 24 pixels around the origin.
    pub(super) sign: &'static str,
}

pub(super) fn of_state(state: State) -> Look {
    let (strong, faint, sign) = match state {
        State::Succeeded => ("#1a7f37", "#eefbf1", "M-5,0.5L-1.5,4L5,-3.5"),
        State::Failed => ("#cf222e", "#fff1f0", "M-4,-4L4,4M4,-4L-4,4"),
        State::Running => ("#0969da", "#eef6ff", "M-2.5,-4.5L4.5,0L-2.5,4.5Z"),
        State::Waiting => ("#9a6700", "#fff9e0", "M0,-5.5V0.5L4,3"),
        State::Unknown => (
            "#8250df",
            "#fbf3ff",
            "M-3,-2.5A3,3 0 1 1 0.5,0.8Q0,1 0,2.6M0,5.2V5.4",
        ),
        State::Skipped => ("#8c959f", "#f6f8fa", "M-4.5,0H4.5"),
        State::Pending => ("#afb8c1", "#ffffff", "M-4.5,0H-4.3M0,0H0.2M4.5,0H4.7"),
    };
    Look {
        strong,
        faint,
        sign,
    }
}

/// A colour for each kind of node, as it has no state to show.
pub(super) fn of_kind(kind: &str) -> &'static str {
    match kind {
        "trigger" => "#1a7f37",
        "output" => "#0550ae",
        "agent" | "llm" => "#8250df",
        "condition" | "switch" | "merge" | "loop" => "#9a6700",
        "wait" | "approval" => "#bc4c00",
        _ => "#57606a",
    }
}
