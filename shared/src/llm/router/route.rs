use std::collections::BTreeSet;

use crate::models::{Candidate, FailureClass, ProviderName, Route, RouteStep, Timeouts, Weighted};

/// Steps of a route at most.
const MAX_STEPS: usize = 8;

/// Candidates of a step at most.
const MAX_CANDIDATES: usize = 8;

/// Bytes of a model's name at most.
const MAX_MODEL_BYTES: usize = 128;

/// The largest weight.
const MAX_WEIGHT: u32 = 1_000;

/// A route that cannot be, and the field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {message}")]
pub struct InvalidRoute {
    /// As `steps[0].candidates[1].weight`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl Candidate {
    /// Whether it can be told how freely to choose its words: Claude has no temperature and no
    /// `top_p` (<https://platform.claude.com/docs/en/api/messages>).
    #[must_use]
    pub fn takes_temperature(&self) -> bool {
        match self.provider {
            ProviderName::Anthropic => false,
            ProviderName::Vertex => !self.model.starts_with("claude"),
            ProviderName::Openai | ProviderName::Gemini | ProviderName::Compatible => true,
        }
    }
}

impl Route {
    /// A route with one candidate.
    #[must_use]
    pub fn to(candidate: Candidate) -> Self {
        Self {
            steps: vec![RouteStep {
                candidates: vec![Weighted {
                    candidate,
                    weight: Weighted::DEFAULT_WEIGHT,
                }],
            }],
            fallback_on: Self::DEFAULT_FALLBACK.to_vec(),
            timeouts: Timeouts::default(),
        }
    }

    /// All candidates, in the order of the steps.
    pub fn candidates(&self) -> impl Iterator<Item = &Candidate> {
        let steps = self.steps.iter().flat_map(|step| &step.candidates);
        steps.map(|weighted| &weighted.candidate)
    }

    /// Checks what the types do not.
    ///
    /// # Errors
    /// Returns the first field that is wrong.
    pub fn check(&self) -> Result<(), InvalidRoute> {
        check_count("steps", self.steps.len(), MAX_STEPS)?;
        let mut known = BTreeSet::new();
        for (number, step) in self.steps.iter().enumerate() {
            let place = format!("steps[{number}].candidates");
            check_count(&place, step.candidates.len(), MAX_CANDIDATES)?;
            for (number, Weighted { candidate, weight }) in step.candidates.iter().enumerate() {
                let place = format!("{place}[{number}]");
                if !(1..=MAX_WEIGHT).contains(weight) {
                    let message = format!("must be from 1 to {MAX_WEIGHT}");
                    return Err(invalid(format!("{place}.weight"), message));
                }
                let model = &candidate.model;
                if !(1..=MAX_MODEL_BYTES).contains(&model.len()) || model.contains(char::is_control)
                {
                    let message = format!("must have 1 to {MAX_MODEL_BYTES} bytes");
                    return Err(invalid(format!("{place}.model"), message));
                }
                if !known.insert(candidate) {
                    return Err(invalid(place, "is there twice"));
                }
            }
        }
        if self.fallback_on.contains(&FailureClass::InvalidRequest) {
            let message = "must not hold `invalid_request`: it would be refused again";
            return Err(invalid("fallbackOn", message));
        }
        self.timeouts.check()
    }

    pub(super) fn falls_back_on(&self, class: FailureClass) -> bool {
        class != FailureClass::InvalidRequest && self.fallback_on.contains(&class)
    }
}

fn check_count(field: &str, count: usize, most: usize) -> Result<(), InvalidRoute> {
    match (1..=most).contains(&count) {
        true => Ok(()),
        false => Err(invalid(field, format!("must have 1 to {most} entries"))),
    }
}

pub(super) fn invalid(field: impl Into<String>, message: impl Into<String>) -> InvalidRoute {
    InvalidRoute {
        field: field.into(),
        message: message.into(),
    }
}
