use crate::llm::{Delta, Usage};

/// What a call has used, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meter {
    /// What is booked for a call of which nothing came.
    unseen: Usage,
    /// The most output that there may be.
    most: i64,
    /// What the provider has told before the end.
    early: Option<Usage>,
    bytes: usize,
    has_begun: bool,
    /// What is booked, whatever else is known.
    told: Option<Usage>,
}

impl Meter {
    /// A call that is answered in one piece.
    pub(super) fn of_whole(unseen: Usage) -> Self {
        Self {
            told: Some(unseen),
            ..Self::of_stream(unseen, 0)
        }
    }

    /// A call whose answer comes in pieces, and takes `most` tokens at most.
    pub(super) fn of_stream(unseen: Usage, most: i64) -> Self {
        Self {
            unseen,
            most,
            early: None,
            bytes: 0,
            has_begun: false,
            told: None,
        }
    }

    /// Counts a piece; tells whether it is the last.
    pub(super) fn see(&mut self, delta: &Delta) -> bool {
        self.has_begun = true;
        match delta {
            Delta::Text(text) => self.bytes += text.len(),
            Delta::ToolCall { piece, .. } => {
                self.bytes += piece.id.len() + piece.name.len() + piece.arguments.len();
            }
            Delta::Usage(usage) => self.early = Some(*usage),
            Delta::End { usage, .. } => {
                self.told = Some(*usage);
                return true;
            }
        }
        false
    }

    /// Whether the model has certainly worked.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// What was used is known.
    pub(super) fn tell(&mut self, usage: Usage) {
        self.told = Some(usage);
    }

    /// The call has failed, and may have been worked on. What came counts; what the failure itself
    /// tells stands above it.
    pub(super) fn break_off(&mut self, told: Option<Usage>) {
        let unseen = (!self.has_begun).then_some(self.unseen);
        self.told = told.or(self.told).or(unseen);
    }

    /// What is booked: what the provider has told, or else its input and what came of the output.
    pub(super) fn usage(&self) -> Usage {
        let untold = Usage {
            output_tokens: 0,
            ..self.unseen
        };
        let early = self.early.unwrap_or(untold).or_untold(untold);
        let seen = early.with_output(self.bytes, self.most);
        self.told.unwrap_or(seen)
    }
}
