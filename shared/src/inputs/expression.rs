use std::collections::BTreeSet;

use cel::{
    ExecutionError, IdedExpr, ParseErrors, Value,
    common::ast::Expr,
    parser::{ParseError, PrattParser},
};

use super::{
    Error,
    error::excerpt,
    functions,
    paths::{self, Paths},
    rewrite,
    scope::{self, INDEX, ITEM, LOOPS, Names},
};

/// In bytes.
const MAX_LENGTH: usize = 4096;

/// Terms and operators.
const MAX_NODES: usize = 1024;

/// Brackets in brackets, and operands in a row. The parser's own limit is above it, and
/// [`super::evaluation`] has the stack for it.
const MAX_DEPTH: usize = 64;

/// A compiled expression.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    source: String,
    program: IdedExpr,
    path: Option<usize>,
    levels: usize,
    cost: u64,
    names: Names,
}

impl Expression {
    /// Parses an expression and checks its size and names; adds its paths to `paths`.
    pub(super) fn compile(source: &str, paths: &mut Paths) -> Result<Self, Error> {
        let too_complex = |limit| Error::TooComplex {
            expression: excerpt(source),
            limit,
        };
        if source.len() > MAX_LENGTH {
            return Err(too_complex("4,096 bytes"));
        }
        let program = parse(source)?;
        if rewrite::size(&program) > MAX_NODES {
            return Err(too_complex("1,024 terms"));
        }
        if rewrite::depth(&program) > MAX_DEPTH {
            return Err(too_complex("64 levels"));
        }
        let names = scope::check(&program).map_err(|problem| Error::Unknown {
            expression: excerpt(source),
            problem,
        })?;
        let mut program = rewrite::metered(program);
        let cost = u64::try_from(rewrite::size(&program)).unwrap_or(u64::MAX);
        paths.replace(&mut program);
        let path = match &program.expr {
            Expr::Ident(name) => paths::position(name),
            _ => None,
        };
        Ok(Self {
            source: source.to_owned(),
            cost,
            path,
            levels: path.map_or_else(|| rewrite::depth(&program), |_| 0),
            program,
            names,
        })
    }

    /// The program with its charges and without its paths.
    pub(super) fn program(&self) -> &IdedExpr {
        &self.program
    }

    /// Fuel for the terms outside of loops.
    pub(super) fn cost(&self) -> u64 {
        self.cost
    }

    /// The path that is all of the program.
    pub(super) fn path(&self) -> Option<usize> {
        self.path
    }

    /// Levels of the program that the evaluator descends to.
    pub(super) fn levels(&self) -> usize {
        self.levels
    }

    /// The nodes in use.
    pub(super) fn references(&self) -> &BTreeSet<String> {
        &self.names.nodes
    }

    /// The loops in use by their ids.
    pub(super) fn loops(&self) -> &BTreeSet<String> {
        &self.names.loops
    }

    /// Whether a loop must be around the node.
    pub(super) fn uses_loop(&self) -> bool {
        [ITEM, INDEX, LOOPS]
            .iter()
            .any(|name| self.names.variables.contains(*name))
    }

    /// The beginning of the source, for messages.
    pub(super) fn excerpt(&self) -> String {
        excerpt(&self.source)
    }

    /// The error for a failure of the evaluator.
    pub(super) fn failure(&self, error: &ExecutionError) -> Error {
        self.failed(describe(error))
    }

    /// The error for a failure of this expression.
    pub(super) fn failed(&self, problem: String) -> Error {
        Error::Failed {
            expression: self.excerpt(),
            problem,
        }
    }
}

fn parse(source: &str) -> Result<IdedExpr, Error> {
    PrattParser::new()
        .parse(source)
        .map_err(|errors| syntax(source, errors))
}

fn syntax(source: &str, errors: ParseErrors) -> Error {
    let first = errors.errors.into_iter().next();
    let (line, column, problem) = match first {
        Some(ParseError { pos, msg, .. }) => (pos.0, pos.1, msg),
        None => (1, 1, "not an expression".to_owned()),
    };
    let position = if line > 1 {
        format!("line {line}, character {column}")
    } else {
        format!("character {column}")
    };
    Error::Syntax {
        expression: excerpt(source),
        position,
        problem,
    }
}

/// The reason without the values: they may be private, and long.
fn describe(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("there is no `{}`", excerpt(key)),
        ExecutionError::NoSuchOverload(overload) => overload.to_string(),
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => {
            let (left, right) = (Value::type_of(left), Value::type_of(right));
            format!("cannot {operator} {left} and {right}")
        }
        ExecutionError::IndexOutOfBounds(_) => "the list is too short".to_owned(),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "division by zero".to_owned()
        }
        ExecutionError::Overflow(..) => "the number is too large".to_owned(),
        ExecutionError::DuplicateKey(_) => "a key is there twice".to_owned(),
        ExecutionError::FunctionError { function, message } if functions::is_own(function) => {
            format!("{}: {message}", functions::spelled(function))
        }
        ExecutionError::FunctionError { function, .. } => format!("{function}: wrong argument"),
        ExecutionError::UnexpectedType { .. } => "a value has the wrong type".to_owned(),
        _ => "a value does not fit".to_owned(),
    }
}
