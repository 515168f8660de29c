use std::{
    io,
    panic::{self, AssertUnwindSafe},
};

use cel::ExecutionError;
use serde_json::Value;

use super::{
    Bindings, Error, Expression, MAX_RESULT_BYTES,
    data::Data,
    paths::{self, Path},
    template::{too_large, unfit},
    value,
};

/// The evaluator needs up to 45 kB a level without optimization, and the 64 levels of an
/// expression are up to four times as many with charges.
const STACK_BYTES_PER_LEVEL: usize = 48 * 1024;

/// What functions and the values themselves need below the last level.
const STACK_BYTES_BELOW: usize = 256 * 1024;

/// The expressions of one template at work.
pub(super) struct Evaluation<'d, 'v> {
    data: &'d Data<'v>,
    /// What the result may still add, in bytes.
    budget: usize,
}

impl Evaluation<'_, '_> {
    /// Runs `work` with what the paths of `expressions` lead to, on a larger stack if it needs one;
    /// a panic of the evaluator ends here, too.
    pub(super) fn run<T>(
        bindings: &Bindings,
        expressions: &[Expression],
        paths: &[Path],
        work: impl FnOnce(&mut Evaluation<'_, '_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let levels = expressions.iter().map(Expression::levels).max();
        let evaluate = || {
            work(&mut Evaluation {
                data: &Data::new(bindings, paths),
                budget: MAX_RESULT_BYTES,
            })
        };
        let evaluated = panic::catch_unwind(AssertUnwindSafe(|| match levels {
            None | Some(0) => evaluate(),
            Some(levels) => {
                let bytes = levels * STACK_BYTES_PER_LEVEL + STACK_BYTES_BELOW;
                stacker::maybe_grow(bytes, bytes, evaluate)
            }
        }));
        evaluated.unwrap_or_else(|_| Err(Error::Evaluator(io::Error::other("panicked"))))
    }

    /// The value of an expression.
    pub(super) fn value_of(&mut self, expression: &Expression) -> Result<Value, Error> {
        let meter = &self.data.session().meter;
        let is_paid = meter.spend(expression.cost()).is_ok();
        let value = match expression.path() {
            Some(path) if is_paid => self.copy(expression, path),
            None if is_paid => self.evaluate(expression),
            _ => Err(too_large()),
        };
        if self.data.session().meter.is_spent() {
            let expression = expression.excerpt();
            return Err(Error::TooExpensive { expression });
        }
        self.data.check_size()?;
        value
    }

    /// The value of the expression at a position of the list.
    pub(super) fn value_at(
        &mut self,
        expressions: &[Expression],
        position: usize,
    ) -> Result<Value, Error> {
        expressions
            .get(position)
            .map_or(Ok(Value::Null), |expression| self.value_of(expression))
    }

    /// A copy of a literal part of the template.
    pub(super) fn literal(&mut self, value: &Value) -> Result<Value, Error> {
        value::copy(value, &mut self.budget).map_err(|_| too_large())
    }

    /// Takes the size of literal text from the budget of the result.
    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), Error> {
        value::spend(&mut self.budget, bytes).map_err(|_| too_large())
    }

    /// The value of an expression that is a path.
    fn copy(&mut self, expression: &Expression, path: usize) -> Result<Value, Error> {
        let found = self.data.find(path);
        let found = found.map_err(|problem| expression.failed(problem))?;
        let copy = found.to_json(&mut self.budget);
        copy.map_err(|error| unfit(error, expression))
    }

    fn evaluate(&mut self, expression: &Expression) -> Result<Value, Error> {
        let mut context = self.data.library().context()?.new_inner_scope();
        context.set_variable_resolver(self.data);
        let evaluated = cel::Value::resolve_val(expression.program(), &context);
        let value = evaluated.map_err(|error| self.failure(expression, &error))?;
        value::to_json(value.as_ref(), &mut self.budget).map_err(|error| unfit(error, expression))
    }

    /// An unknown name stands for a path that leads nowhere.
    fn failure(&self, expression: &Expression, error: &ExecutionError) -> Error {
        let path = match error {
            ExecutionError::UndeclaredReference(name) => paths::position(name),
            _ => None,
        };
        match path.map(|path| self.data.find(path)) {
            Some(Err(problem)) => expression.failed(problem),
            _ => expression.failure(error),
        }
    }
}
