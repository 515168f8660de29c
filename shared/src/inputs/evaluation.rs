use std::{collections::BTreeSet, io, sync::Arc, thread};

use cel::{Context, Env, common::value::Val};
use serde_json::Value;

use super::{
    Bindings, Error, Expression, MAX_RESULT_BYTES, functions,
    meter::{Meter, json_weight},
    scope::{INDEX, ITEM, LOOPS, NODES},
    template::{too_large, unfit},
    value,
};

/// The evaluator needs up to 45 kB a level without optimization, and the 64 levels of an
/// expression are up to four times as many with charges. Only pages that it touches become real.
const STACK_BYTES: usize = 32 * 1024 * 1024;

/// The data that the expressions of one template may refer to: 4 MiB of text, or a quarter of a
/// million numbers.
const MAX_DATA_UNITS: u64 = 262_144;
const MAX_DATA_BYTES: usize = 4 * 1024 * 1024;

/// The expressions of one template at work.
pub(super) struct Evaluation<'v> {
    context: Context<'v, 'v>,
    meter: Meter,
    /// What the result may still add, in bytes.
    budget: usize,
}

impl<'v> Evaluation<'v> {
    /// Runs `work` with the data that `expressions` use, on a thread with enough stack; a panic
    /// of the evaluator ends there, too.
    pub(super) fn run<T: Send>(
        bindings: &Bindings,
        expressions: &[Expression],
        work: impl FnOnce(&mut Evaluation<'_>) -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        thread::scope(|scope| {
            let worker = thread::Builder::new().stack_size(STACK_BYTES);
            let worker =
                worker.spawn_scoped(scope, || work(&mut Evaluation::new(bindings, expressions)?));
            let finished = worker.map_err(Error::Evaluator)?.join();
            finished.unwrap_or_else(|_| Err(Error::Evaluator(io::Error::other("panicked"))))
        })
    }

    /// The value of an expression.
    pub(super) fn value_of(&mut self, expression: &Expression) -> Result<Value, Error> {
        let evaluated = match self.meter.spend(expression.cost()) {
            Ok(()) => cel::Value::resolve_val(expression.program(), &self.context),
            Err(error) => Err(error),
        };
        if self.meter.is_spent() {
            let expression = expression.excerpt();
            return Err(Error::TooExpensive { expression });
        }
        let value = evaluated.map_err(|error| expression.failure(&error))?;
        value::to_json(value.as_ref(), &mut self.budget).map_err(|error| unfit(error, expression))
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

    /// Takes the size of literal text from the budget of the result.
    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), Error> {
        value::spend(&mut self.budget, bytes).map_err(|_| too_large())
    }

    fn new(bindings: &'v Bindings, expressions: &'v [Expression]) -> Result<Self, Error> {
        let meter = Meter::full();
        let env = Env::stdlib().with_optional_support(false);
        let mut context = Context::with_env(Arc::new(env));
        functions::install(&mut context, &meter)
            .map_err(|error| Error::Evaluator(io::Error::other(error)))?;
        let mut units = MAX_DATA_UNITS;
        for name in union(expressions.iter().map(Expression::variables)) {
            let value = match name.as_str() {
                NODES => outputs(bindings, expressions, &mut units)?,
                LOOPS => iterations(bindings, expressions, &mut units)?,
                ITEM | INDEX => match bindings.innermost() {
                    Some(iteration) if name == ITEM => bind(&iteration.item, &mut units)?,
                    Some(iteration) => value::position(iteration.index),
                    None => continue,
                },
                "trigger" => bind(&bindings.trigger, &mut units)?,
                "execution" => bind(&bindings.execution, &mut units)?,
                _ => bind(&bindings.workflow, &mut units)?,
            };
            context.add_variable_as_val(name.as_str(), value);
        }
        Ok(Self {
            context,
            meter,
            budget: MAX_RESULT_BYTES,
        })
    }
}

fn union<'e>(sets: impl Iterator<Item = &'e BTreeSet<String>>) -> BTreeSet<&'e String> {
    sets.flatten().collect()
}

/// `nodes.<id>.output` of the nodes in use that have run.
fn outputs<'v>(
    bindings: &'v Bindings,
    expressions: &'v [Expression],
    units: &mut u64,
) -> Result<Box<dyn Val + 'v>, Error> {
    let mut nodes = Vec::new();
    for id in union(expressions.iter().map(Expression::references)) {
        if let Some(output) = bindings.output(id) {
            let output = bind(output, units)?;
            nodes.push((id.as_str(), value::object([("output", output)])));
        }
    }
    Ok(value::object(nodes))
}

/// `loops.<id>.item` and `loops.<id>.index` of the loops in use that are around the node.
fn iterations<'v>(
    bindings: &'v Bindings,
    expressions: &'v [Expression],
    units: &mut u64,
) -> Result<Box<dyn Val + 'v>, Error> {
    let mut loops = Vec::new();
    for id in union(expressions.iter().map(Expression::loops)) {
        if let Some(iteration) = bindings.iteration(id) {
            let item = bind(&iteration.item, units)?;
            let fields = [(ITEM, item), (INDEX, value::position(iteration.index))];
            loops.push((id.as_str(), value::object(fields)));
        }
    }
    Ok(value::object(loops))
}

fn bind<'v>(json: &'v Value, units: &mut u64) -> Result<Box<dyn Val + 'v>, Error> {
    let Some(left) = units.checked_sub(json_weight(json, *units)) else {
        return Err(Error::TooLarge {
            what: "the data that the expressions use",
            limit_bytes: MAX_DATA_BYTES,
        });
    };
    *units = left;
    Ok(value::borrowed(json))
}
