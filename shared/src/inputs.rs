//! Expressions in node data: CEL between `${` and `}`.
//!
//! `"${expr}"` as a whole string gives the expression's value with its type; inside longer text
//! a string is inserted as it is and any other value as compact JSON. `$${` stands for a literal
//! `${`. Map keys are never expressions, and a result is data: it is not evaluated again.
//!
//! Expressions see `trigger`, `nodes.<id>.output` (or `nodes["id"].output`), `execution.id`,
//! `execution.startedAt`, `workflow.id` and `workflow.name`, inside a loop `item` and `index` of
//! the innermost one and `loops.<id>.item` and `loops.<id>.index` of each one around, and may call
//! what [`functions`] lists. They are total: no loops but `map`, `filter`, `all`, `exists` and
//! `exists_one`, and a budget that [`meter`] describes.

mod bindings;
mod data;
mod error;
mod evaluation;
mod expression;
mod extent;
mod functions;
mod library;
mod lookup;
mod meter;
mod paths;
mod patterns;
mod rewrite;
mod scope;
mod session;
mod template;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeSet;

use serde_json::Value;

pub use bindings::Bindings;
pub use error::Error;
use evaluation::Evaluation;
use expression::Expression;
pub use extent::Extent;
use paths::{Path, Paths};
use template::{Expressions, Part};

/// The largest result of a template, in bytes of JSON: larger outputs belong in storage, and a
/// Firestore document ends at 1 MiB.
pub const MAX_RESULT_BYTES: usize = 256 * 1024;

/// The most levels of arrays and objects in what a run is given or makes: `serde_json` reads at
/// most 127, and there are some around it where it is kept.
pub const MAX_DEPTH: usize = 100;

/// A JSON value with expressions in its strings.
#[derive(Clone, Debug)]
pub struct Template {
    root: Part,
    expressions: Vec<Expression>,
    paths: Vec<Path>,
}

/// An expression that decides.
#[derive(Clone, Debug)]
pub struct Condition {
    expression: Expression,
    paths: Vec<Path>,
}

impl Template {
    /// Compiles every expression in `value`.
    ///
    /// # Errors
    /// Returns the first expression that is malformed, too complex or uses an unknown name.
    pub fn compile(value: &Value) -> Result<Self, Error> {
        let mut expressions = Expressions::default();
        let root = Part::compile(value, &mut expressions)?;
        Ok(Self {
            root,
            expressions: expressions.list,
            paths: expressions.paths.into_list(),
        })
    }

    /// The value, with each expression replaced by its result.
    ///
    /// # Errors
    /// Returns the expression that fails or costs too much, or [`Error::TooLarge`].
    pub fn render(&self, bindings: &Bindings) -> Result<Value, Error> {
        if let Some(literal) = self.literal() {
            return Ok(literal.clone());
        }
        Evaluation::run(bindings, &self.expressions, &self.paths, |evaluation| {
            self.root.render(&self.expressions, evaluation)
        })
    }

    /// The value as text: a string as it is, anything else as compact JSON.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn render_text(&self, bindings: &Bindings) -> Result<String, Error> {
        self.render(bindings).map(value::into_text)
    }

    /// The value itself, when it has no expressions.
    pub fn literal(&self) -> Option<&Value> {
        match &self.root {
            Part::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// The ids of the nodes whose outputs are used.
    pub fn references(&self) -> Vec<String> {
        unique(self.expressions.iter().flat_map(Expression::references))
    }

    /// Whether an expression uses `item`, `index` or `loops`, and so only works inside a loop.
    pub fn uses_loop(&self) -> bool {
        self.expressions.iter().any(Expression::uses_loop)
    }

    /// The ids of the loops that are named, as in `loops.<id>.item`.
    pub fn loops(&self) -> Vec<String> {
        unique(self.expressions.iter().flat_map(Expression::loops))
    }
}

impl Condition {
    /// Compiles an expression without `${` and `}`; with them around it, they are ignored.
    ///
    /// # Errors
    /// Returns what is wrong with it.
    pub fn compile(source: &str) -> Result<Self, Error> {
        let mut paths = Paths::default();
        let expression = Expression::compile(template::unwrapped(source), &mut paths)?;
        Ok(Self {
            expression,
            paths: paths.into_list(),
        })
    }

    /// Whether the condition holds.
    ///
    /// # Errors
    /// Returns why it fails, costs too much or is not a boolean.
    pub fn evaluate(&self, bindings: &Bindings) -> Result<bool, Error> {
        let expressions = std::slice::from_ref(&self.expression);
        Evaluation::run(
            bindings,
            expressions,
            &self.paths,
            |evaluation| match evaluation.value_of(&self.expression)? {
                Value::Bool(holds) => Ok(holds),
                other => Err(Error::NotBoolean {
                    expression: self.expression.excerpt(),
                    found: value::kind_of(&other),
                }),
            },
        )
    }

    /// The ids of the nodes whose outputs are used.
    pub fn references(&self) -> Vec<String> {
        unique(self.expression.references())
    }

    /// Whether it uses `item`, `index` or `loops`, and so only works inside a loop.
    pub fn uses_loop(&self) -> bool {
        self.expression.uses_loop()
    }

    /// The ids of the loops that are named, as in `loops.<id>.item`.
    pub fn loops(&self) -> Vec<String> {
        unique(self.expression.loops())
    }
}

fn unique<'e>(ids: impl IntoIterator<Item = &'e String>) -> Vec<String> {
    let ids: BTreeSet<&String> = ids.into_iter().collect();
    ids.into_iter().cloned().collect()
}
