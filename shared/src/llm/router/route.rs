use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use super::{FailureClass, Timeouts};
use crate::llm::providers::ProviderName;

/// Steps of a route at most.
const MAX_STEPS: usize = 8;

/// Candidates of a step at most.
const MAX_CANDIDATES: usize = 8;

/// The largest weight.
const MAX_WEIGHT: u32 = 1_000;

/// Where calls of a model go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Route {
    /// Asked one after the other.
    pub steps: Vec<Step>,
    /// Failures after which somebody else is asked.
    #[serde(default = "default_fallback")]
    pub fallback_on: Vec<FailureClass>,
    /// How long is waited.
    #[serde(default)]
    pub timeouts: Timeouts,
}

/// Candidates of which one is drawn by weight; then the others, likewise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The candidates.
    pub candidates: Vec<Weighted>,
}

/// A candidate and its share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Weighted {
    /// Who is asked.
    #[serde(flatten)]
    pub candidate: Candidate,
    /// Its share of the calls, from 1 to 1,000.
    #[serde(default = "default_weight")]
    pub weight: u32,
}

/// A model at a provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// Who runs the model.
    pub provider: ProviderName,
    /// The model's name there.
    pub model: String,
}

/// A route that cannot be, and the field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {message}")]
pub struct InvalidRoute {
    /// As `steps[0].candidates[1].weight`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl Route {
    /// A route with one candidate.
    #[must_use]
    pub fn to(candidate: Candidate) -> Self {
        Self {
            steps: vec![Step {
                candidates: vec![Weighted {
                    candidate,
                    weight: default_weight(),
                }],
            }],
            fallback_on: default_fallback(),
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

/// What is about the provider, not about what it was asked.
fn default_fallback() -> Vec<FailureClass> {
    vec![
        FailureClass::RateLimited,
        FailureClass::Unavailable,
        FailureClass::Timeout,
        FailureClass::Unauthenticated,
        FailureClass::ContextTooLong,
    ]
}

fn default_weight() -> u32 {
    1
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

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}
