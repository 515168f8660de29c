//! Following a [`Path`].

use cel::common::value::Val;
use serde_json::Value;

use super::{
    Bindings,
    bindings::Iteration,
    error::excerpt,
    meter::json_weight,
    paths::{Path, Step},
    scope::{INDEX, ITEM, LOOPS, NODES},
    value::{self, Unfit},
};

const OUTPUT: &str = "output";

/// What a path leads to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found<'v> {
    /// A part of the data.
    Data(&'v Value),
    /// A node as a whole: an object with its `output`.
    Node(&'v Value),
    /// A round of a loop as a whole: an object with its `item` and `index`.
    Round(&'v Iteration),
    /// The `index` of a round.
    Position(usize),
    /// What `has` says.
    Test(bool),
}

impl Path {
    /// What the path leads to, or why it leads nowhere.
    pub(super) fn resolve<'v>(&self, bindings: &'v Bindings) -> Result<Found<'v>, String> {
        let (last, way) = match self.steps.split_last() {
            Some((last, way)) if self.is_test => (Some(last), way),
            _ => (None, self.steps.as_slice()),
        };
        let mut steps = way.iter();
        let mut found = match self.variable.as_str() {
            NODES | LOOPS if steps.len() == 0 => return self.entry_exists(last, bindings),
            NODES => node(steps.next(), bindings)?,
            LOOPS => Found::Round(round(steps.next(), bindings)?),
            ITEM => Found::Data(&self.innermost(bindings)?.item),
            INDEX => Found::Position(self.innermost(bindings)?.index),
            "trigger" => Found::Data(&bindings.trigger),
            "execution" => Found::Data(&bindings.execution),
            _ => Found::Data(&bindings.workflow),
        };
        for step in steps {
            found = found.step(step)?;
        }
        match last {
            Some(last) => found.has(last).map(Found::Test),
            None => Ok(found),
        }
    }

    /// `has(nodes.id)`: whether the node has run, or the loop is around.
    fn entry_exists<'v>(
        &self,
        id: Option<&Step>,
        bindings: &'v Bindings,
    ) -> Result<Found<'v>, String> {
        let exists = if self.variable == NODES {
            node(id, bindings).is_ok()
        } else {
            round(id, bindings).is_ok()
        };
        Ok(Found::Test(exists))
    }

    fn innermost<'v>(&self, bindings: &'v Bindings) -> Result<&'v Iteration, String> {
        let problem = || format!("there is no `{}` outside of a loop", self.variable);
        bindings.innermost().ok_or_else(problem)
    }
}

impl<'v> Found<'v> {
    /// The cost of a copy, counted no further than `limit`.
    pub(super) fn weight(self, limit: u64) -> u64 {
        match self {
            Self::Data(json) => json_weight(json, limit),
            Self::Node(output) => json_weight(output, limit).saturating_add(2),
            Self::Round(round) => json_weight(&round.item, limit).saturating_add(4),
            Self::Position(_) | Self::Test(_) => 1,
        }
    }

    /// A CEL value that borrows the text.
    pub(super) fn to_cel(self) -> Box<dyn Val + 'v> {
        match self {
            Self::Data(json) => value::borrowed(json),
            Self::Node(output) => value::object([(OUTPUT, value::borrowed(output))]),
            Self::Round(round) => value::object([
                (INDEX, value::position(round.index)),
                (ITEM, value::borrowed(&round.item)),
            ]),
            Self::Position(position) => value::position(position),
            Self::Test(holds) => value::boolean(holds),
        }
    }

    /// A copy, taking its size in bytes from `budget`.
    pub(super) fn to_json(self, budget: &mut usize) -> Result<Value, Unfit> {
        match self {
            Self::Data(json) => value::copy(json, budget),
            Self::Node(_) | Self::Round(_) => value::to_json(self.to_cel().as_ref(), budget),
            Self::Position(position) => value::copy(&Value::from(position), budget),
            Self::Test(holds) => value::copy(&Value::from(holds), budget),
        }
    }

    fn step(self, step: &Step) -> Result<Self, String> {
        let next = match (self, step) {
            (Self::Data(Value::Object(fields)), Step::Key(key)) => fields.get(key).map(Self::Data),
            (Self::Data(Value::Array(items)), Step::Position(position)) => {
                let item = usize::try_from(*position).ok().and_then(|at| items.get(at));
                let item = item.ok_or_else(|| "the list is too short".to_owned())?;
                Some(Self::Data(item))
            }
            (Self::Node(output), Step::Key(key)) if key == OUTPUT => Some(Self::Data(output)),
            (Self::Round(round), Step::Key(key)) if key == ITEM => Some(Self::Data(&round.item)),
            (Self::Round(round), Step::Key(key)) if key == INDEX => {
                Some(Self::Position(round.index))
            }
            _ if self.has_fields() => None,
            _ => return Err(self.has_none(step)),
        };
        next.ok_or_else(|| missing(step))
    }

    fn has(self, step: &Step) -> Result<bool, String> {
        if self.has_fields() {
            Ok(self.step(step).is_ok())
        } else {
            Err(self.has_none(step))
        }
    }

    fn has_fields(self) -> bool {
        matches!(
            self,
            Self::Data(Value::Object(_)) | Self::Node(_) | Self::Round(_)
        )
    }

    fn has_none(self, step: &Step) -> String {
        let kind = match self {
            Self::Data(json) => value::kind_of(json),
            Self::Node(_) | Self::Round(_) => "an object",
            Self::Position(_) => "a number",
            Self::Test(_) => "a boolean",
        };
        format!("{kind} has no `{}`", named(step))
    }
}

fn node<'v>(id: Option<&Step>, bindings: &'v Bindings) -> Result<Found<'v>, String> {
    let output = match id {
        Some(Step::Key(id)) => bindings.output(id),
        _ => None,
    };
    let output = output.ok_or_else(|| id.map_or_else(String::new, missing))?;
    Ok(Found::Node(output))
}

fn round<'v>(id: Option<&Step>, bindings: &'v Bindings) -> Result<&'v Iteration, String> {
    let round = match id {
        Some(Step::Key(id)) => bindings.iteration(id),
        _ => None,
    };
    round.ok_or_else(|| {
        let id = id.map_or_else(String::new, named);
        format!("there is no loop `{id}` around")
    })
}

fn missing(step: &Step) -> String {
    format!("there is no `{}`", named(step))
}

fn named(step: &Step) -> String {
    match step {
        Step::Key(key) => excerpt(key),
        Step::Position(position) => position.to_string(),
    }
}
