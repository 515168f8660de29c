use std::{fmt::Display, num::ParseIntError, ops::RangeInclusive, str::FromStr};

use shared::{
    config::{Env, Error},
    graph::GraphLimits,
};

/// How runs are run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Model of nodes and agents that name none.
    pub default_model: String,
    /// `EMBEDDING_MODEL`: makes the vectors that agents find their memories by. What was kept with
    /// another model is not found.
    pub embedding_model: String,
    /// `LEASE_SECS`: a worker that says nothing for so long has lost its execution, in seconds.
    pub lease_secs: i64,
    /// `MAX_GRAPH_NODES`: nodes of a workflow, and four edges for each.
    pub graph_limits: GraphLimits,
    /// `MAX_STEPS`: nodes that one run may run, each item of a loop counted.
    pub max_steps: i64,
}

impl Settings {
    /// What holds unless it is set otherwise (`DESIGN.md` section 4).
    #[must_use]
    pub fn new(default_model: String) -> Self {
        Self {
            default_model,
            embedding_model: "text-embedding-3-small".to_owned(),
            lease_secs: 60,
            graph_limits: GraphLimits::DEFAULT,
            max_steps: 1_000,
        }
    }

    /// Reads the variables.
    ///
    /// # Errors
    /// Returns the first variable that is invalid.
    pub fn load(env: &Env, default_model: String) -> Result<Self, Error> {
        let defaults = Self::new(default_model);
        let nodes = within(
            env,
            "MAX_GRAPH_NODES",
            defaults.graph_limits.nodes,
            1..=100_000,
        )?;
        Ok(Self {
            embedding_model: env.parsed("EMBEDDING_MODEL", defaults.embedding_model.clone())?,
            lease_secs: within(env, "LEASE_SECS", defaults.lease_secs, 1..=300)?,
            graph_limits: GraphLimits {
                nodes,
                edges: 4 * nodes,
            },
            max_steps: within(env, "MAX_STEPS", defaults.max_steps, 1..=1_000_000)?,
            ..defaults
        })
    }
}

fn within<T>(
    env: &Env,
    name: &'static str,
    default: T,
    range: RangeInclusive<T>,
) -> Result<T, Error>
where
    T: Display + FromStr<Err = ParseIntError> + PartialOrd,
{
    let value = env.parsed(name, default)?;
    if range.contains(&value) {
        return Ok(value);
    }
    let reason = format!("expected {} to {}", range.start(), range.end());
    Err(Error::Invalid { name, reason })
}
